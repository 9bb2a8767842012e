"""Swin groups with one position matrix for all heads.

See docs/architecture.md#swin-groups.
"""

import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.nn.layers import Dense, LayerNorm
from dlf_jax.nn.remat import block
from dlf_jax.nn.transformer import Mlp
from dlf_jax.ops.attention import multi_head_attention
from dlf_jax.ops.links import is_last, roll
from dlf_jax.ops.windows import (
    from_windows,
    relative_positions,
    shift_masks,
    to_windows,
)
from dlf_jax.typing import Array, Float


class WindowAttention(nn.Module):
    """Self-attention inside square windows, cyclically shifted by half or not.

    The masks of a shifted layer are parameters: the released training moves their
    finite entries, and −inf entries stay where they are.

    Attributes:
      window: cells a side; both sides of the map are multiples of it.
      head_width: channels of one head.
      shifted: roll the map by half a window before attention, and back afterwards.
      relative: positions from a table of key-minus-query offsets instead of a matrix.
    """

    window: int
    head_width: int
    shifted: bool
    relative: bool

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        width, half = x.shape[-1], self.window // 2
        if self.shifted:
            x = roll(x, -half)
        qkv = Dense(3 * width, use_bias=False, name="qkv")(x)
        qkv = to_windows(qkv, self.window)
        bias = self._positions() + self._masks(*qkv.shape[1:3])
        heads = width // self.head_width
        x = from_windows(multi_head_attention(qkv, heads, bias), self.window)
        x = Dense(width, kernel_init=nn.initializers.zeros, name="out")(x)
        if self.shifted:
            x = roll(x, half)
        return x

    def _positions(self) -> Float[Array, "L L"]:
        cells = self.window**2
        side = 2 * self.window - 1 if self.relative else cells
        table = self.param("positions", nn.initializers.normal(1.0), (side, side))
        if self.relative:
            table = table[tuple(relative_positions(self.window))]
        return table

    def _masks(self, rows: int, cols: int) -> Float[Array, "#B nH nW L L"]:
        """Masks of the last windows of a shifted map; zero in all other windows."""
        bias = jnp.zeros((1, rows, cols, 1, 1))
        if not self.shifted:
            return bias
        initial = shift_masks(self.window)
        upper_lower, left_right = (
            self.param(name, lambda _, value=value: jnp.asarray(value))
            for name, value in zip(
                ("upper_lower_mask", "left_right_mask"), initial, strict=True
            )
        )
        last_row, last_col = is_last(rows, cols)
        last_row = last_row[:, :, None, None, None]
        last_col = last_col[:, None, :, None, None]
        # Selected, not multiplied: 0 · −inf is not a number.
        bias = bias + jnp.where(last_row, upper_lower, 0.0)
        return bias + jnp.where(last_col, left_right, 0.0)


class SwinBlock(nn.Module):
    """Window attention and MLP, each normalised first and added to the stream."""

    window: int
    head_width: int
    shifted: bool
    relative: bool

    @block
    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        attention = WindowAttention(
            self.window, self.head_width, self.shifted, self.relative, name="attention"
        )
        x = x + attention(LayerNorm(name="norm_attention")(x))
        return x + Mlp(name="mlp")(LayerNorm(name="norm_mlp")(x))


class SwinGroup(nn.Module):
    """Swin blocks in a row: odd ones shifted, the first with relative positions."""

    num_blocks: int
    window: int
    head_width: int

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        for i in range(self.num_blocks):
            x = SwinBlock(
                self.window,
                self.head_width,
                shifted=i % 2 == 1,
                relative=i == 0,
                name=f"block_{i}",
            )(x)
        return x
