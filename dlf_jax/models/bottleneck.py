"""Transforms between detail features and the coded latent.

See docs/architecture.md#analysis-and-synthesis.
"""

import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.models.config import DLFConfig
from dlf_jax.nn.depth_conv import DepthConvBlock
from dlf_jax.ops.rates import at_rates
from dlf_jax.typing import Array, Float, Num


class RateTransform(nn.Module):
    """Two blocks, a gain per channel and rate, two blocks.

    Attributes:
      features: widths of the four blocks.
      initial_gains: initial gain of each rate point.
    """

    features: tuple[int, int, int, int]
    initial_gains: tuple[float, ...]

    @nn.compact
    def __call__(
        self, x: Float[Array, "B h w C"], rate: Num[Array, "B"]
    ) -> Float[Array, "B h w D"]:
        width = self.features[1]
        gain = self.param(
            "gain",
            lambda _, shape: jnp.broadcast_to(
                jnp.asarray(self.initial_gains)[:, None], shape
            ),
            (len(self.initial_gains), width),
        )
        for i, features in enumerate(self.features):
            if i == 2:
                x = x * at_rates(gain, rate)[:, None, None, :]
            x = DepthConvBlock(features, name=f"block_{i}")(x)
        return x


def _analysis_gains(num_rates: int) -> tuple[float, ...]:
    """Initial gains: 1 for a single rate, as released; otherwise 8 to 24, geometric.

    At initialisation the latent varies by a tenth of a quantisation step.  With gain 1
    every symbol would be zero, and the rate term would keep all symbols at zero.
    """
    if num_rates == 1:
        return (1.0,)
    return tuple(8.0 * 3.0 ** (i / (num_rates - 1)) for i in range(num_rates))


def analysis_transform(config: DLFConfig) -> RateTransform:
    """Detail features (F channels) to the coded latent (N channels)."""
    f, n = config.detail_width, config.latent_channels
    return RateTransform((f, f, f, n), _analysis_gains(config.num_rates))


def synthesis_transform(config: DLFConfig) -> RateTransform:
    """Decoded latent (N channels) to detail features (F channels)."""
    f = config.detail_width
    gains = tuple(1.0 / gain for gain in _analysis_gains(config.num_rates))
    return RateTransform((f, f, f, f), gains)
