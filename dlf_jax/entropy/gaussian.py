"""Bits of rounded and of noisy Gaussian symbols.

See docs/architecture.md#rate-estimate.
"""

import jax.numpy as jnp
from jax.scipy.special import erf, erfc

from dlf_jax.ops.bounds import lower_bound
from dlf_jax.typing import Array, Float

_SQRT2 = 2**0.5


def _bits(probability: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """−log2(p + 1e-5), not below 0: an element costs at most 16.6 bits."""
    return lower_bound(-jnp.log2(probability + 1e-5), 0.0)


def rounded_bits(
    symbols: Float[Array, "*S"], scales: Float[Array, "*S"]
) -> Float[Array, "*S"]:
    """Information content of integer symbols under zero-mean Gaussians.

    Args:
      symbols: integers, as floats.
      scales: standard deviations; clipped to at least 1e-5, so that a zero symbol of a
        zero scale is free.
    """
    sigma = jnp.clip(scales, 1e-5, 1e10)

    def cdf(v):
        return 0.5 * (1 + erf(v / _SQRT2))

    return _bits(cdf((symbols + 0.5) / sigma) - cdf((symbols - 0.5) / sigma))


def noisy_bits(
    values: Float[Array, "*S"], scales: Float[Array, "*S"]
) -> Float[Array, "*S"]:
    """The training proxy: bits of values with uniform noise of width 1 added.

    Gradient: scales below 0.11 and probabilities below 1e-9 are bounded with
    `lower_bound`, whose gradient still pulls them up.
    """
    sigma = lower_bound(scales, 0.11) * _SQRT2
    distance = jnp.abs(values)
    p = 0.5 * (erfc(-(0.5 - distance) / sigma) - erfc((0.5 + distance) / sigma))
    return _bits(lower_bound(p, 1e-9))
