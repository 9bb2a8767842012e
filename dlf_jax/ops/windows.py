"""Windows of a feature map, relative positions, and masks of a cyclic shift."""

import numpy as np

from dlf_jax.typing import Array, Float


def to_windows(x: Float[Array, "B H W C"], size: int) -> Float[Array, "B nH nW L C"]:
    """Cuts a map into windows; windows, and cells inside a window, in raster order.

    Args:
      x: feature map whose sides are multiples of `size`.
      size: cells a side of a window; L is its square.
    """
    batch, height, width, channels = x.shape
    rows, cols = height // size, width // size
    x = x.reshape(batch, rows, size, cols, size, channels).swapaxes(2, 3)
    return x.reshape(batch, rows, cols, size * size, channels)


def from_windows(x: Float[Array, "B nH nW L C"], size: int) -> Float[Array, "B H W C"]:
    """Inverse of `to_windows`."""
    batch, rows, cols, _, channels = x.shape
    x = x.reshape(batch, rows, cols, size, size, channels).swapaxes(2, 3)
    return x.reshape(batch, rows * size, cols * size, channels)


def relative_positions(size: int) -> np.ndarray:
    """Row and column of the relative table for every (query, key) pair of a window.

    Returns:
      int array (2, size², size²) of key minus query plus size − 1, in 0 … 2·size − 2.
    """
    cells = np.stack(np.divmod(np.arange(size * size), size))
    return cells[:, None, :] - cells[:, :, None] + size - 1


def shift_masks(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks for the windows that a cyclic shift by half a window joins.

    Returns:
      Two float32 arrays (size², size²) of 0 and −inf: the first, for the last window
      row, forbids pairs between the upper and the lower half; the second, for the last
      window column, between left and right (docs/architecture.md#swin-groups).
    """
    halves = np.stack(np.divmod(np.arange(size * size), size)) >= size // 2
    forbidden = halves[:, :, None] != halves[:, None, :]
    upper_lower, left_right = np.where(forbidden, -np.inf, 0).astype(np.float32)
    return upper_lower, left_right
