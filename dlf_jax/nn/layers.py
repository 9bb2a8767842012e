"""The primitives of spec §2 with the constants the official weights expect."""

import functools

import jax
from flax import linen as nn

from dlf_jax.typing import Array, Float

# Two-pass variance: E[x²]−E[x]² loses all digits where the variance is small.
LayerNorm = functools.partial(nn.LayerNorm, epsilon=1e-5, use_fast_variance=False)
GroupNorm = functools.partial(nn.GroupNorm, epsilon=1e-6, use_fast_variance=False)

gelu = functools.partial(nn.gelu, approximate=False)


def conv(features: int, size: int = 3, **kwargs) -> nn.Conv:
    """A square convolution with zero padding ``size // 2`` unless stated."""
    kwargs.setdefault("padding", size // 2)
    return nn.Conv(features, (size, size), **kwargs)


class DepthwiseConv(nn.Module):
    """One square filter a channel, zero padding ``size // 2``, with bias."""

    size: int

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        channels = x.shape[-1]
        return conv(channels, self.size, feature_group_count=channels, name="conv")(x)


def leaky_relu(x: jax.Array, slope: float) -> jax.Array:
    """max(x, slope·x) for a slope in (0, 1)."""
    return nn.leaky_relu(x, slope)
