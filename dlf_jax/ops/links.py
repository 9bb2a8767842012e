"""Tiles of a picture as a batch: layers that see beyond a map reach into neighbours.

Without `linked_tiles`, a batch consists of pictures, and the functions below leave maps
as they are.  Inside it, a batch consists of tiles.  Functions are then only traced, not
run: cells of neighbours appear as results of `SURROUNDINGS`, and the caller cuts the
traced function there (`dlf_jax.codec.segments`).
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive

from dlf_jax.typing import Array, Bool, Float, Int

# Rows `rows[0]` to `rows[1]`, and columns likewise, of each tile of a batch of maps.
# Cell 0 is the tile's first: negative cells, and those after its last, are neighbours'.
# Outside the picture are zeros or, if `cyclic`, the opposite side of the picture.
SURROUNDINGS = Primitive("surroundings")


@SURROUNDINGS.def_abstract_eval
def _shape(x, *, rows, cols, cyclic):
    del cyclic
    batch, _, _, channels = x.shape
    sides = rows[1] - rows[0], cols[1] - cols[0]
    return ShapedArray((batch, *sides, channels), x.dtype)


# The identity: where the caller should cut, because the layers in between occur again.
BOUNDARY = Primitive("boundary")
BOUNDARY.def_abstract_eval(lambda x: x)


@dataclasses.dataclass(frozen=True)
class Places:
    """Place of each tile of a batch in its picture.

    Attributes:
      place: row and column, in tiles.
      last: whether the tile is in the last row, and in the last column.
    """

    place: Int[Array, "T 2"]
    last: Bool[Array, "T 2"]


_PLACES: contextvars.ContextVar[Places | None] = contextvars.ContextVar(
    "places", default=None
)


@contextlib.contextmanager
def linked_tiles(places: Places) -> Iterator[None]:
    """Traces networks inside for a batch of tiles instead of pictures."""
    token = _PLACES.set(places)
    try:
        yield
    finally:
        _PLACES.reset(token)


Sides = tuple[tuple[int, int], tuple[int, int]]


def with_neighbours(
    x: Float[Array, "B H W C"], sides: Sides
) -> tuple[Float[Array, "B H2 W2 C"], Sides]:
    """Widens tiles by cells of their neighbours, where a filter would pad with zeros.

    Args:
      x: maps.
      sides: cells before and after, of rows and of columns.

    Returns:
      (maps, the padding that is left to do).
    """
    if _PLACES.get() is None or sides == ((0, 0), (0, 0)):
        return x, sides
    _, height, width, _ = x.shape
    (top, bottom), (left, right) = sides
    x = SURROUNDINGS.bind(
        x, rows=(-top, height + bottom), cols=(-left, width + right), cyclic=False
    )
    return x, ((0, 0), (0, 0))


def boundary(x: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """Marks the border of a block of layers."""
    return x if _PLACES.get() is None else BOUNDARY.bind(x)


def roll(x: Float[Array, "B H W C"], shift: int) -> Float[Array, "B H W C"]:
    """Rolls rows and columns of pictures by `shift` cells, less than a tile."""
    if _PLACES.get() is None:
        return jnp.roll(x, (shift, shift), axis=(1, 2))
    _, height, width, _ = x.shape
    return SURROUNDINGS.bind(
        x, rows=(-shift, height - shift), cols=(-shift, width - shift), cyclic=True
    )


def is_last(rows: int, cols: int) -> tuple[Bool[Array, "#B I"], Bool[Array, "#B J"]]:
    """Marks the last of `rows` and of `cols` windows, if these end at a border."""
    row, col = (jnp.arange(n)[None] == n - 1 for n in (rows, cols))
    places = _PLACES.get()
    if places is None:
        return row, col
    return row & places.last[:, :1], col & places.last[:, 1:]


def positions(rows: int, cols: int) -> tuple[Int[Array, "#B I"], Int[Array, "#B J"]]:
    """Row and column, in the picture, of the cells of maps of `rows` by `cols`."""
    row, col = (jnp.arange(n)[None] for n in (rows, cols))
    places = _PLACES.get()
    if places is None:
        return row, col
    return rows * places.place[:, :1] + row, cols * places.place[:, 1:] + col
