"""Transforms between detail features and the coded latent (spec §9.2)."""

from flax import linen as nn

from dlf_jax.models.config import DLFConfig
from dlf_jax.nn.depth_conv import DepthConvBlock
from dlf_jax.typing import Array, Float, Int


class RateTransform(nn.Module):
    """Two blocks, a gain per channel and rate, two blocks.

    Attributes:
      features: widths of the four blocks.
      num_rates: rate points; each has its own gain.
    """

    features: tuple[int, int, int, int]
    num_rates: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "B h w C"], rate: Int[Array, "B"]
    ) -> Float[Array, "B h w D"]:
        width = self.features[1]
        gain = self.param("gain", nn.initializers.ones, (self.num_rates, width))
        for i, features in enumerate(self.features):
            if i == 2:
                x = x * gain[rate][:, None, None, :]
            x = DepthConvBlock(features, name=f"block_{i}")(x)
        return x


def analysis_transform(config: DLFConfig) -> RateTransform:
    """Detail features (F channels) to the coded latent (N channels)."""
    f, n = config.detail_width, config.latent_channels
    return RateTransform((f, f, f, n), config.num_rates)


def synthesis_transform(config: DLFConfig) -> RateTransform:
    """Decoded latent (N channels) to detail features (F channels)."""
    f = config.detail_width
    return RateTransform((f, f, f, f), config.num_rates)
