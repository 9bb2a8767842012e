"""What XLA is told about every program of this package."""

import functools

import jax

# What jaxlib 0.10.2 and later hand to YNNPACK by default, but for convolutions.
_YNNPACK = {
    "xla_cpu_experimental_ynn_fusion_type": ",".join(
        f"LIBRARY_FUSION_TYPE_{kind}" for kind in ("DOT", "INDIVIDUAL_DOT", "REDUCE")
    )
}


@functools.cache
def compiler_options(platform: str) -> dict[str, str]:
    """Options of XLA for a program that runs on `platform`, "cpu", "gpu" or "tpu".

    YNNPACK takes two to three times as long over the convolutions of a CPU as Eigen,
    which had them before; ``launch/throughput.md`` has the numbers.
    """
    if platform != "cpu":
        return {}
    try:
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            jax.jit(lambda: 0, compiler_options=_YNNPACK).lower().compile()
    except jax.errors.JaxRuntimeError:  # a jaxlib without the option
        return {}
    return _YNNPACK
