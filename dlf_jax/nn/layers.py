"""The primitives of spec §2, with the constants the official weights expect.

Kernels start as Flax's do, with a variance of 1/fan-in, and biases at 0, so that a
signal keeps its size at any width.  The released networks start otherwise (spec §17),
which suits their widths and pre-trained parts: at an eighth of the width, and from
nothing, their constants leave next to no signal after a few layers.
"""

import functools

from flax import linen as nn

from dlf_jax.typing import Array, Float

# Two-pass variance: E[x²]−E[x]² loses all digits where the variance is small.
LayerNorm = functools.partial(nn.LayerNorm, epsilon=1e-5, use_fast_variance=False)
GroupNorm = functools.partial(nn.GroupNorm, epsilon=1e-6, use_fast_variance=False)


def cell_or_group_norm(num_groups: int, name: str) -> nn.Module:
    """`GroupNorm`, or for 0 groups the same over the channels of each cell alone."""
    if num_groups:
        return GroupNorm(num_groups, name=name)
    return LayerNorm(epsilon=1e-6, name=name)


gelu = functools.partial(nn.gelu, approximate=False)


def dense(x: Float[Array, "*S C"], features: int, name: str) -> Float[Array, "*S D"]:
    """A linear map of the last axis with bias: a 1x1 convolution."""
    return nn.Dense(features, name=name)(x)


def conv(
    x: Float[Array, "B H W C"], features: int, name: str, size: int = 3, **kwargs
) -> Float[Array, "B H2 W2 D"]:
    """A square convolution with bias; zero padding ``size // 2`` unless given."""
    kwargs = {"padding": size // 2, **kwargs}
    return nn.Conv(features, (size, size), name=name, **kwargs)(x)


def depthwise_conv(
    x: Float[Array, "B H W C"], name: str, size: int, **kwargs
) -> Float[Array, "B H W C"]:
    """One square filter a channel with bias, zero padding ``size // 2``."""
    channels = x.shape[-1]
    return conv(x, channels, name, size, feature_group_count=channels, **kwargs)
