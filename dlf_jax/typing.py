"""Array aliases and the axis glossary of this package.

Axes: ``B`` images, ``H W`` pixels or cells, ``C`` channels, ``T`` tiles, ``L`` tokens
of a sequence, ``D`` width, ``K`` codebook entries, ``R`` rate points.  Images are NHWC;
their range (uint8, [0, 1] or [-1, 1]) is stated at every boundary.
"""

from jaxtyping import Array, Bool, Float, Int, UInt8

__all__ = ["Array", "Bool", "Float", "Int", "UInt8"]
