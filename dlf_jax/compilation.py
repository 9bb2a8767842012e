"""What XLA is told about networks, wherever in this package they are compiled."""

import functools

import jax

# An empty list: nothing goes to YNNPACK.
_WITHOUT_YNNPACK = {"xla_cpu_experimental_ynn_fusion_type": ""}


@functools.cache
def compiler_options(platform: str) -> dict[str, str]:
    """Options of XLA for a network that runs on `platform`, "cpu", "gpu" or "tpu".

    jaxlib 0.10.2 and later hand much of what a CPU does to YNNPACK, which takes two to
    three times as long over convolutions as Eigen, which had them before; see
    ``launch/throughput.md``.
    """
    if platform != "cpu":
        return {}
    try:
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            jax.jit(lambda: 0, compiler_options=_WITHOUT_YNNPACK).lower().compile()
    except jax.errors.JaxRuntimeError:  # a jaxlib without the option
        return {}
    return _WITHOUT_YNNPACK
