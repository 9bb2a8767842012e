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


def test_quick_programs_are_optimised_less():
    options = compilation.compiler_options("cpu")
    quick = compilation.compiler_options("cpu", quick=True)
    added = dict(quick.items() - options.items())
    assert added.pop("xla_backend_optimization_level") == 0
    # Unknown to jaxlib 0.11.1 and later.
    assert added in ({}, {"xla_cpu_use_fusion_emitters": False})
    assert options.items() < quick.items()
    assert jax.jit(lambda x: 3 * x, compiler_options=quick)(2.0) == 6.0


def test_other_platforms_and_jaxlibs_without_the_option_get_none(monkeypatch):
    assert compilation.compiler_options("tpu") == {}
    assert compilation.compiler_options("tpu", quick=True) == {
        "xla_backend_optimization_level": 0
    }
    compilation.compiler_options.cache_clear()
    monkeypatch.setattr(compilation, "_WITHOUT_YNNPACK", {"xla_of_another_age": "1"})
    assert compilation.compiler_options("cpu") == {}
    compilation.compiler_options.cache_clear()
