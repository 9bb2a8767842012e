"""Array aliases and the axis glossary of this package.

Axes: ``B`` images, ``H W`` pixels or cells, ``C`` channels, ``T`` tiles, ``L`` tokens
of a sequence, ``D`` width, ``K`` codebook entries, ``R`` rate points.  Images are NHWC;
their range (uint8, [0, 1] or [-1, 1]) is stated at every boundary.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from jaxtyping import Array, Bool, Float, Int, Num, PyTree, UInt8

# Nested dictionaries of parameters, or of their gradients, shapes or placements.
Params: TypeAlias = Mapping[str, Any]

__all__ = ["Array", "Bool", "Float", "Int", "Num", "Params", "PyTree", "UInt8"]
