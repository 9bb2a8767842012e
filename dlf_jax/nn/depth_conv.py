"""The depthwise-convolution block of the detail bottleneck.

See docs/architecture.md#depth-convolution-block.
"""

import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.nn.layers import Dense, DepthwiseConv, dense
from dlf_jax.typing import Array, Float


class DepthConvBlock(nn.Module):
    """A depthwise 3x3 residual block, then a two-branch residual MLP."""

    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W D"]:
        features = self.features
        h = nn.leaky_relu(dense(x, x.shape[-1], "conv_in"), 0.01)
        h = DepthwiseConv(3, name="depth_conv")(h)
        h = Dense(features, kernel_init=nn.initializers.zeros, name="conv_out")(h)
        if x.shape[-1] != features:
            x = dense(x, features, "adaptor")
        x = x + h
        u, v = jnp.split(dense(x, 4 * features, "ffn_in"), 2, axis=-1)
        h = nn.leaky_relu(u, 0.1) + nn.leaky_relu(v, 0.01)
        h = Dense(features, kernel_init=nn.initializers.zeros, name="ffn_out")(h)
        return x + h
