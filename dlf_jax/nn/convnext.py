"""The ConvNeXt block of the detail branch (docs/architecture.md#convnext-block)."""

from flax import linen as nn

from dlf_jax.nn.layers import Dense, DepthwiseConv, LayerNorm, gelu
from dlf_jax.nn.remat import block
from dlf_jax.ops.sums import multiply
from dlf_jax.typing import Array, Float


class ConvNeXtBlock(nn.Module):
    """Depthwise 5x5, norm, MLP of twice the width; the scale is on the *input*."""

    @block
    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        width = x.shape[-1]
        scale = self.param("layer_scale", nn.initializers.ones, (width,))
        h = multiply(x.astype(scale.dtype), scale)
        h = DepthwiseConv(5, name="conv")(h)
        h = gelu(Dense(2 * width, name="up")(LayerNorm(name="norm")(h)))
        return x + Dense(width, kernel_init=nn.initializers.zeros, name="down")(h)
