"""Environment of libtpu, the library of TPUs, on machines without one."""

import glob
import os

# One or the other is how every generation of TPUs appears on its host.
_DEVICES = ("/dev/accel*", "/dev/vfio/[0-9]*")

# Otherwise libtpu asks the metadata server of Google Cloud for the first of these,
# for minutes where there is none, and complains of the others.
_ALONE = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_HOST_BOUNDS": "1,1,1",
    "TPU_CHIPS_PER_HOST_BOUNDS": "1,1,1",
}


def expect_no_tpu() -> None:
    """Tells libtpu that this machine has no TPU, in this process and its children.

    Takes effect before jax looks for devices. What the environment says already stays.
    """
    for name, value in _ALONE.items():
        os.environ.setdefault(name, value)


def has_tpu() -> bool:
    """Whether this machine has a TPU that libtpu could open."""
    return any(glob.glob(pattern) for pattern in _DEVICES)
