"""Arrays of tiles widened by cells of their neighbours."""

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float, Int

from dlf_jax.codec.plan import Input

_ALIGNMENT = 64  # bytes; jax copies other arrays


def widened(
    item: Input,
    around: Int[np.ndarray, "T 3 3"],
    tiles: Mapping[int, Float[np.ndarray, "H W C"]],
) -> Float[np.ndarray, "T H2 W2 C"]:
    """The rows and columns of an input, for some tiles.

    Args:
      item: with `rows` and `cols`.
      around: slots of each tile and its neighbours; −1 for zeros.
      tiles: map of every slot.
    """
    some = next(iter(tiles.values()))
    height, width, channels = some.shape
    (top, bottom), (left, right) = item.rows, item.cols
    shape = len(around), bottom - top, right - left, channels
    out = _aligned(shape, some.dtype)
    pieces = [
        (i, j, our_rows, our_cols, their_rows, their_cols)
        for i, our_rows, their_rows in _spans(top, bottom, height)
        for j, our_cols, their_cols in _spans(left, right, width)
    ]
    for wide, slots in zip(out, around.tolist(), strict=True):
        for i, j, our_rows, our_cols, their_rows, their_cols in pieces:
            slot = slots[i][j]
            cells = 0 if slot < 0 else tiles[slot][their_rows, their_cols]
            wide[our_rows, our_cols] = cells
    return out


def _spans(start: int, stop: int, side: int) -> Iterator[tuple[int, slice, slice]]:
    """Yields (0, 1, 2: tile before, itself, after; our cells; the tile's cells)."""
    for i, offset in enumerate((-side, 0, side)):
        low, high = max(start, offset), min(stop, offset + side)
        if low < high:
            ours = slice(low - start, high - start)
            yield i, ours, slice(low - offset, high - offset)


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
