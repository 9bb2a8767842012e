"""Tiles: the square blocks that the semantic branch sees one at a time."""

import jax.numpy as jnp

from dlf_jax.ops.windows import from_windows, to_windows
from dlf_jax.typing import Array, Float


def to_tiles(x: Float[Array, "B H W C"], size: int) -> Float[Array, "T L C"]:
    """Cuts maps into sequences of ``size²`` cells, tiles in (image, row, column) order.

    Args:
      x: feature maps whose sides are multiples of `size`.
      size: cells a side of a tile.
    """
    return to_windows(x, size).reshape(-1, size * size, x.shape[-1])


def from_tiles(
    tiles: Float[Array, "T L C"], tile_grid: tuple[int, int]
) -> Float[Array, "B H W C"]:
    """Inverse of `to_tiles`; ``tile_grid`` is (tiles down, tiles across)."""
    _, length, channels = tiles.shape
    size = round(length**0.5)
    return from_windows(tiles.reshape(-1, *tile_grid, length, channels), size)


def pixel_shuffle(x: Float[Array, "B H W C"], factor: int) -> Float[Array, "B H2 W2 D"]:
    """Moves channels to space; a channel index is (output channel, row, column).

    Output ``[r·f + i, c·f + j, ch]`` is input ``[r, c, f²·ch + f·i + j]``, which is not
    the order of TensorFlow's ``depth_to_space``
    (docs/architecture.md#dual-branch-decoder).
    """
    batch, height, width, channels = x.shape
    out = channels // factor**2
    x = x.reshape(batch, height, width, out, factor, factor)
    x = jnp.transpose(x, (0, 1, 4, 2, 5, 3))
    return x.reshape(batch, height * factor, width * factor, out)


def pixel_unshuffle(
    x: Float[Array, "B H W C"], factor: int
) -> Float[Array, "B H2 W2 D"]:
    """Inverse of `pixel_shuffle`: moves squares of `factor` cells into channels."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // factor, factor, width // factor, factor, channels)
    x = jnp.transpose(x, (0, 1, 3, 5, 2, 4))
    return x.reshape(batch, height // factor, width // factor, channels * factor**2)
