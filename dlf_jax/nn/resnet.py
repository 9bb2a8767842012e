"""Convolutional blocks of the taming VQGAN (docs/architecture.md#vqgan)."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.nn.layers import cell_or_group_norm, conv, dense
from dlf_jax.nn.remat import block
from dlf_jax.ops.links import with_neighbours
from dlf_jax.typing import Array, Float


class ResBlock(nn.Module):
    """Two normalised 3x3 convolutions, initially zero, and a shortcut."""

    features: int
    norm_groups: int

    @block
    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W D"]:
        h = nn.silu(cell_or_group_norm(self.norm_groups, "norm_0")(x))
        h = conv(h, self.features, "conv_0")
        h = nn.silu(cell_or_group_norm(self.norm_groups, "norm_1")(h))
        h = conv(h, self.features, "conv_1", kernel_init=nn.initializers.zeros)
        if x.shape[-1] != self.features:
            x = dense(x, self.features, "shortcut")
        return x + h


class SpatialAttention(nn.Module):
    """Single-head attention over all cells of a map, with a residual.

    Memory grows with the square of the number of cells: the score matrix of a map of
    128x96 cells has 12288² entries.
    """

    norm_groups: int

    @block
    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        batch, height, width, channels = x.shape
        h = cell_or_group_norm(self.norm_groups, "norm")(x)
        h = h.reshape(batch, height * width, channels)
        q, k, v = (dense(h, channels, name) for name in ("query", "key", "value"))
        exact = jnp.promote_types(x.dtype, jnp.float32)
        scores = jnp.einsum("bqc,bkc->bqk", q, k, preferred_element_type=exact)
        weights = nn.softmax(scores * channels**-0.5).astype(v.dtype)
        h = jnp.einsum("bqk,bkc->bqc", weights, v)
        return x + dense(h, channels, "out").reshape(x.shape)


class Downsample(nn.Module):
    """Halves both sides; the zero padding is at the bottom and the right only."""

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H2 W2 C"]:
        return conv(x, x.shape[-1], "conv", strides=2, padding=((0, 1), (0, 1)))


class Upsample(nn.Module):
    """Doubles both sides: nearest neighbour, then a 3x3 convolution."""

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H2 W2 C"]:
        x, padding = with_neighbours(x, ((1, 1), (1, 1)))
        batch, height, width, channels = x.shape
        x = jax.lax.broadcast_in_dim(
            x, (batch, height, 2, width, 2, channels), (0, 1, 3, 5)
        )
        x = x.reshape(batch, 2 * height, 2 * width, channels)
        if not any(padding[0]):  # of the neighbours' cells, a half
            x = x[:, 1:-1, 1:-1]
        return conv(x, channels, "conv", padding=padding)
