"""XLA compiler options shared by every network in the package."""

import functools
from collections.abc import Mapping

import jax

# An empty list keeps everything from YNNPACK.
_WITHOUT_YNNPACK = {"xla_cpu_experimental_ynn_fusion_type": ""}
_QUICK = {"xla_backend_optimization_level": 0}
# The older emitter of fused loops leaves less to optimise.
_QUICK_ON_CPUS = {"xla_cpu_use_fusion_emitters": False}

Options = Mapping[str, str | int | bool]


@functools.cache
def compiler_options(platform: str, *, quick: bool = False) -> Options:
    """Returns XLA compiler options for a network on a platform.

    On CPUs, jaxlib 0.10.2 and later compute convolutions with YNNPACK, which takes two
    to three times as long as Eigen, the library of earlier releases; see
    ``launch/studies/throughput/README.md``.  The options keep Eigen.

    Args:
      platform: "cpu", "gpu" or "tpu".
      quick: compile faster, to a slower program, for runs shorter than compiling.
    """
    if platform != "cpu":
        return _QUICK if quick else {}
    wanted = _WITHOUT_YNNPACK | (_QUICK | _QUICK_ON_CPUS if quick else {})
    return {name: value for name, value in wanted.items() if _is_known(name, value)}


def _is_known(name: str, value: str | int | bool) -> bool:
    """Checks that this jaxlib has an option of CPUs."""
    try:
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
