import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from dlf_jax.entropy.gaussian import noisy_bits, rounded_bits

CEILING = -np.log2(1e-5)


def expected_bits(values, scales):
    """The formula of docs/architecture.md#rate-estimate in double precision."""
    p = stats.norm.cdf((values + 0.5) / scales) - stats.norm.cdf(
        (values - 0.5) / scales
    )
    return np.maximum(-np.log2(p + 1e-5), 0)


def test_rounded_bits_match_the_normal_distribution():
    symbols, scales = np.meshgrid(np.arange(-12.0, 13.0), [0.2, 0.7, 1.0, 3.0, 20.0])
    bits = rounded_bits(jnp.asarray(symbols), jnp.asarray(scales))
    np.testing.assert_allclose(
        bits, expected_bits(symbols, scales), rtol=2e-3, atol=1e-3
    )


def test_a_zero_symbol_of_no_scale_is_free():
    scales = jnp.array([0.0, -3.0, 1e-5])
    np.testing.assert_array_equal(rounded_bits(jnp.zeros(3), scales), 0)
    np.testing.assert_allclose(rounded_bits(jnp.ones(3), scales), CEILING, rtol=1e-6)


@pytest.mark.parametrize("function", [rounded_bits, noisy_bits])
def test_bits_lie_between_zero_and_the_ceiling(function):
    rng = np.random.default_rng(0)
    values = jnp.asarray(rng.normal(scale=20, size=200).round(), jnp.float32)
    scales = jnp.asarray(np.exp(rng.normal(scale=3, size=200)), jnp.float32)
    bits = function(values, scales)
    assert float(bits.min()) >= 0
    assert float(bits.max()) <= CEILING + 1e-3


def test_noisy_bits_match_the_normal_distribution():
    rng = np.random.default_rng(0)
    values = rng.uniform(-6, 6, 200)
    scales = rng.uniform(0.11, 5, 200)
    bits = noisy_bits(jnp.asarray(values), jnp.asarray(scales))
    np.testing.assert_allclose(
        bits, expected_bits(values, scales), rtol=2e-3, atol=1e-3
    )


def test_noisy_bits_estimate_rounded_bits():
    """On average over values that the Gaussian describes."""
    rng = np.random.default_rng(0)
    values = rng.normal(scale=2.0, size=20_000)
    scales = jnp.full(values.shape, 2.0)
    noise = rng.uniform(-0.5, 0.5, values.shape)
    noisy = noisy_bits(jnp.asarray(values + noise), scales)
    rounded = rounded_bits(jnp.asarray(values.round()), scales)
    np.testing.assert_allclose(np.mean(noisy), np.mean(rounded), rtol=5e-3)


def test_gradients_of_noisy_bits_match_finite_differences():
    values = np.array([-2.3, -0.4, 0.1, 0.6, 1.9])
    scales = np.array([0.5, 0.9, 1.3, 0.3, 2.0])
    gradients = jax.jit(
        jax.grad(lambda v, s: jnp.sum(noisy_bits(v, s)), argnums=(0, 1))
    )(jnp.asarray(values), jnp.asarray(scales))
    step = 1e-5
    expected = (
        expected_bits(values + step, scales) - expected_bits(values - step, scales),
        expected_bits(values, scales + step) - expected_bits(values, scales - step),
    )
    for gradient, difference in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(
            gradient, difference / (2 * step), rtol=5e-3, atol=1e-4
        )


def test_a_scale_below_the_bound_is_pulled_up_but_never_pushed_down():
    gradient = jax.jit(jax.grad(lambda s, v: noisy_bits(v, s)))
    # A surprising value wants a larger scale, an expected one a smaller scale.
    assert gradient(0.05, 0.7) < 0
    assert gradient(0.05, 0.0) == 0
    assert gradient(0.3, 0.0) > 0


def test_an_impossible_value_has_a_finite_gradient():
    gradient = jax.jit(jax.grad(noisy_bits, argnums=(0, 1)))(100.0, 0.2)
    assert all(bool(jnp.isfinite(g)) for g in gradient)
