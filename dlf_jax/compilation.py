"""What XLA is told about networks, wherever in this package they are compiled."""

import functools
from collections.abc import Mapping

import jax

# An empty list: nothing goes to YNNPACK.
_WITHOUT_YNNPACK = {"xla_cpu_experimental_ynn_fusion_type": ""}
_QUICK = {"xla_backend_optimization_level": 0}
# Fused loops by the emitter of before, with less to optimise away.
_QUICK_ON_CPUS = {"xla_cpu_use_fusion_emitters": False}

Options = Mapping[str, str | int | bool]


@functools.cache
def compiler_options(platform: str, *, quick: bool = False) -> Options:
    """Options of XLA for a network that runs on `platform`, "cpu", "gpu" or "tpu".

    jaxlib 0.10.2 and later hand much of what a CPU does to YNNPACK, which takes two to
    three times as long over convolutions as Eigen, which had them before; see
    ``launch/studies/throughput/README.md``.

    Args:
      platform: where it runs.
      quick: a slower program, for runs that are shorter than compiling.
    """
    if platform != "cpu":
        return _QUICK if quick else {}
    wanted = _WITHOUT_YNNPACK | (_QUICK | _QUICK_ON_CPUS if quick else {})
    return {name: value for name, value in wanted.items() if _is_known(name, value)}


def _is_known(name: str, value: str | int | bool) -> bool:
    """Whether this jaxlib has an option of CPUs."""
    try:
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
