"""The segments of a network that runs on tiles, as data.

A segment works on each tile by itself.  Its inputs are results of earlier segments,
some of them widened by cells of neighbouring tiles.  A driver can therefore run it for
a few tiles of a picture at a time, whatever the size of the picture.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Input:
    """An argument of a segment.

    Attributes:
      value: number of the value, see `Plan`.
      rows, cols, cyclic: parameters of `SURROUNDINGS`; None for the tile alone.
    """

    value: int
    rows: tuple[int, int] | None = None
    cols: tuple[int, int] | None = None
    cyclic: bool = False


@dataclasses.dataclass(frozen=True)
class Segment:
    """A program applied to some values.

    Attributes:
      program: number of the program; segments of equal structure share one.
      params: numbers of parameters, the program's first arguments.
      inputs: further arguments.
      outputs: numbers of the values that the program returns.
    """

    program: int
    params: tuple[int, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Segments in an order in which they can run.

    Values are numbered: first the inputs of the network, then results of segments.

    Attributes:
      segments: the segments.
      results: numbers of the values that the network returns.
      shapes: shape of every value without the axis of tiles.
    """

    segments: tuple[Segment, ...]
    results: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionaries of JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Plan":
        """Inverse of `to_dict`."""
        values = _tuples(values)
        segments = (
            s | {"inputs": tuple(Input(**i) for i in s["inputs"])}
            for s in values["segments"]
        )
        return cls(**values | {"segments": tuple(Segment(**s) for s in segments)})


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _tuples(inner) for name, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
