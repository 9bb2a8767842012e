"""The four complementary parts in which the detail latent is coded.

See docs/architecture.md#four-parts.

Cells fall in four classes by the parity of row and column, channels in four consecutive
groups.  In part k, class p codes group ``GROUP_OF_CLASS[k][p]``, so that every cell has
one active group in every part and every (cell, channel) is coded exactly once::

    class of a cell    part 0   part 1   part 2   part 3
        a b             0 1      3 2      2 3      1 0
        c d             2 3      1 0      0 1      3 2
"""

import numpy as np

NUM_PARTS = 4

# Group coded by class a, b, c, d (row parity, column parity) in each part.
GROUP_OF_CLASS = np.array([[0, 1, 2, 3], [3, 2, 1, 0], [2, 3, 0, 1], [1, 0, 3, 2]])


def part_masks(height: int, width: int, channels: int) -> np.ndarray:
    """Masks of the (cell, channel) positions that each part codes.

    Args:
      height, width: cells of the latent.
      channels: a multiple of 4.

    Returns:
      bool array (4, height, width, channels): disjoint parts that cover everything.
    """
    classes = 2 * (np.arange(height) % 2)[:, None] + np.arange(width) % 2
    group = np.arange(channels) // (channels // 4)
    return GROUP_OF_CLASS[:, classes][..., None] == group


def fold(x: np.ndarray) -> np.ndarray:
    """Sums the four channel groups: (..., C) to (..., C/4).

    A masked part has one non-zero group at each cell, so the sum loses nothing.
    """
    return x.reshape(*x.shape[:-1], 4, x.shape[-1] // 4).sum(-2)


def unfold(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Inverse of `fold` for the part with this mask: (..., C/4) to (..., C)."""
    return np.concatenate([x] * 4, axis=-1) * mask
