"""Environment of libtpu, the library of TPUs, on machines without one."""

import glob
import os

# Device files of all generations of TPUs.
_DEVICES = ("/dev/accel*", "/dev/vfio/[0-9]*")

# Without these, libtpu asks the metadata server of Google Cloud, for minutes where
# there is none, and warns of missing variables.
_ALONE = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_HOST_BOUNDS": "1,1,1",
    "TPU_CHIPS_PER_HOST_BOUNDS": "1,1,1",
}


def expect_no_tpu() -> None:
    """Tells libtpu that this machine has no TPU, in this process and its children.

    Must be called before jax looks for devices.  Variables that are set already stay.
    """
    for name, value in _ALONE.items():
        os.environ.setdefault(name, value)


def has_tpu() -> bool:
    """Returns whether this machine has a TPU that libtpu could open."""
    return any(glob.glob(pattern) for pattern in _DEVICES)
