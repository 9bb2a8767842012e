"""The primitives of spec §2, with the constants the official weights expect.

`dense` and `conv` apply a layer in place and start as PyTorch's layers do (spec §17);
`dense_normal` starts as the linear layers of the two dual-branch networks.
"""

import functools

import jax
from flax import linen as nn

from dlf_jax.typing import Array, Float

# Two-pass variance: E[x²]−E[x]² loses all digits where the variance is small.
LayerNorm = functools.partial(nn.LayerNorm, epsilon=1e-5, use_fast_variance=False)
GroupNorm = functools.partial(nn.GroupNorm, epsilon=1e-6, use_fast_variance=False)

DenseNormal = functools.partial(nn.Dense, kernel_init=nn.initializers.normal(0.05))

gelu = functools.partial(nn.gelu, approximate=False)


def fan_in_uniform(fan_in: int) -> nn.initializers.Initializer:
    """Uniform in ±1/√fan_in, for kernels and biases alike."""

    def init(key, shape, dtype=float):
        bound = fan_in**-0.5
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def dense(x: Float[Array, "*S C"], features: int, name: str) -> Float[Array, "*S D"]:
    """A linear map of the last axis with bias: a 1x1 convolution."""
    init = fan_in_uniform(x.shape[-1])
    return nn.Dense(features, kernel_init=init, bias_init=init, name=name)(x)


def conv(
    x: Float[Array, "B H W C"], features: int, name: str, size: int = 3, **kwargs
) -> Float[Array, "B H2 W2 D"]:
    """A square convolution with bias; zero padding ``size // 2`` unless given."""
    init = fan_in_uniform(size * size * x.shape[-1])
    kwargs = {"padding": size // 2, "kernel_init": init, "bias_init": init, **kwargs}
    return nn.Conv(features, (size, size), name=name, **kwargs)(x)


def depthwise_conv(
    x: Float[Array, "B H W C"], name: str, size: int, **kwargs
) -> Float[Array, "B H W C"]:
    """One square filter a channel with bias, zero padding ``size // 2``."""
    channels = x.shape[-1]
    init = fan_in_uniform(size * size)
    kwargs = {"kernel_init": init, "bias_init": init, **kwargs}
    return conv(x, channels, name, size, feature_group_count=channels, **kwargs)
