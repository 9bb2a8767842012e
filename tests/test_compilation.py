"""Options of XLA: known to this jaxlib, and convolutions of a CPU by Eigen."""

import jax
import jax.numpy as jnp

from dlf_jax import compilation


def _convolve(image, kernel):
    return jax.lax.conv_general_dilated(
        image, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def test_no_convolution_of_a_cpu_goes_to_ynnpack():
    image, kernel = jnp.ones((8, 8, 8, 64)), jnp.ones((3, 3, 64, 64))
    lowered = jax.jit(_convolve).lower(image, kernel)
    text = lowered.compile(compilation.compiler_options("cpu")).as_text()
    assert "convolution" in text and "ynn_fusion" not in text


def test_other_platforms_and_jaxlibs_without_the_option_get_none(monkeypatch):
    assert compilation.compiler_options("tpu") == {}
    compilation.compiler_options.cache_clear()
    monkeypatch.setattr(compilation, "_WITHOUT_YNNPACK", {"xla_of_another_age": "1"})
    assert compilation.compiler_options("cpu") == {}
    compilation.compiler_options.cache_clear()
