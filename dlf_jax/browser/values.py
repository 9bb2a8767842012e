"""Values of a graph under conversion, and questions about their sizes.

Sizes are integers or symbolic dimensions of `jax.export`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

# Values that do not depend on inputs are computed up to this many elements.
_MAX_FOLDED = 1 << 13


@dataclasses.dataclass(frozen=True)
class Value:
    """A value of the graph.

    Attributes:
      name: in the graph; None for a constant that is not in the graph yet.
      shape: sizes, some of which may be symbolic.
      dtype: its type.
      thin: axes that have one element in the graph, to be broadcast to `shape`.
      constant: the value where it is known.
    """

    name: str | None
    shape: tuple
    dtype: np.dtype
    thin: frozenset[int] = frozenset()
    constant: np.ndarray | None = None


def constant(value: Any) -> Value:
    """A value that is not in the graph yet."""
    array = np.asarray(value)
    return Value(None, array.shape, array.dtype, constant=array)


def is_number(size: Any) -> bool:
    """True for a size that is known."""
    return isinstance(size, int | np.integer)


def is_one(size: Any) -> bool:
    """True for the size 1."""
    return is_number(size) and size == 1


def is_equal(size: Any, other: Any) -> bool:
    """True for sizes that are equal for all values of the variables."""
    return str(size) == str(other)


def is_small(shape: Sequence[Any]) -> bool:
    """True for a known shape of few elements, whose values can be computed."""
    known = all(is_number(size) for size in shape)
    return known and int(np.prod(shape, dtype=int)) <= _MAX_FOLDED


def other_axes(x: Value, *groups: Sequence[int]) -> list[int]:
    """Axes of a value that are in none of the groups."""
    taken = {axis for group in groups for axis in group}
    return [axis for axis in range(len(x.shape)) if axis not in taken]


def from_an_end(place: Any, size: Any) -> int:
    """A place along an axis as a number; from the end, negative or 0, if symbolic."""
    return int(place) if is_number(place) else int(place - size)
