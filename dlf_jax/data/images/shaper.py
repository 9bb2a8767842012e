"""Matrix/TRC colour spaces: curves to linear light and a matrix to linear sRGB."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Shaped, UInt8

Chromaticity = Sequence[float] | np.ndarray  # x, y
Chromaticities = Sequence[Chromaticity] | np.ndarray  # of red, green and blue
Curve = Callable[[np.ndarray], np.ndarray]  # code value, 0 to 1, to linear light

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
D50 = np.array([0.9642, 1.0, 0.8249])  # white of ICC's profile connection space
D65 = (0.3127, 0.3290)
REC709 = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_LEVELS = 2**16  # of linear light in the table of `encode`


@dataclasses.dataclass(frozen=True)
class Shaper:
    """Matrix/TRC colour space, RGB or grey.

    Attributes:
      curves: tone curves of red, green and blue, or one for all.
      matrix: maps columns of linear RGB to linear sRGB.
    """

    curves: tuple[Curve, ...]
    matrix: Float[np.ndarray, "3 3"] = dataclasses.field(
        default_factory=lambda: np.eye(3)
    )

    def converter(self, channels: int, top: int) -> Callable[[np.ndarray], np.ndarray]:
        """Returns a function from samples, 0 to `top`, to 8-bit sRGB."""
        codes = np.arange(top + 1) / top
        tables = [curve(codes).astype(np.float32) for curve in self.curves]
        if channels == 1:
            grey = encode(tables[0])
            return lambda samples: np.repeat(grey[samples], 3, -1)
        red, green, blue = tables if len(tables) == 3 else tables * 3
        matrix = self.matrix.T.astype(np.float32)

        def convert(samples: Shaped[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
            linear = np.empty(samples.shape, np.float32)
            for i, table in enumerate((red, green, blue)):
                np.take(table, samples[..., i], out=linear[..., i])
            return encode(linear @ matrix)

        return convert

    def is_too_fine(self, samples: UInt8[np.ndarray, "H W C"]) -> bool:
        """True if 8-bit rounding of some sample costs more than 2 levels of sRGB.

        Dark colours in linear light have this problem.
        """
        codes = np.arange(256) / 255
        wrong = np.zeros(256, bool)
        for curve in self.curves:
            exact = encode(curve(codes)).astype(int)
            for step in (-0.5, 0.5):
                other = encode(curve(np.clip(codes + step / 255, 0, 1)))
                wrong |= abs(other - exact) > 2
        return bool(wrong.any() and wrong[samples].any())

    @functools.cached_property
    def is_srgb(self) -> bool:
        """True if the conversion changes no 8-bit colour by more than 1."""
        ramp = np.arange(256, dtype=np.uint8)
        cube = np.stack(np.meshgrid(ramp[::51], ramp[::51], ramp[::51]), -1)
        probe = np.concatenate([np.stack([ramp] * 3, -1), cube.reshape(-1, 3)])[None]
        return bool(abs(self.converter(3, 255)(probe) - probe.astype(int)).max() <= 1)


@functools.cache
def _encoding() -> UInt8[np.ndarray, "levels"]:
    light = np.arange(_LEVELS) / (_LEVELS - 1)
    code = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055
    )
    return np.uint8(255 * code + 0.5)


def encode(linear: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Encodes linear light as 8-bit sRGB, clipped to the gamut."""
    return _encoding()[np.uint16((_LEVELS - 1) * np.clip(linear, 0, 1) + 0.5)]


def srgb_curve(code: np.ndarray) -> np.ndarray:
    """Transfer function of sRGB, from code value to linear light."""
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def power(exponent: float) -> Curve:
    """Returns a pure power curve."""
    return lambda code: code**exponent


def xyz(x: float, y: float) -> Float[np.ndarray, "3"]:
    """XYZ of luminance 1 with the given chromaticity."""
    return np.array([x / y, 1, (1 - x - y) / y])


def matrix_of(
    primaries: Chromaticities, white: Chromaticity
) -> Float[np.ndarray, "3 3"]:
    """Matrix from linear RGB of these chromaticities to linear sRGB; white stays white.

    Raises:
      ValueError: the chromaticities are degenerate.
    """
    return matrix_to_srgb(_colorants(primaries, white))


def matrix_to_srgb(colorants: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Matrix from linear RGB to linear sRGB.

    Args:
      colorants: XYZ of the primaries under D50, as columns."""
    return np.linalg.inv(_colorants(REC709, D65)) @ colorants


def _colorants(
    primaries: Chromaticities, white: Chromaticity
) -> Float[np.ndarray, "3 3"]:
    """XYZ of the primaries, adapted to D50, as columns."""
    if min(white[1], *(y for _, y in primaries)) <= 0:
        raise ValueError("chromaticities without luminance")
    columns = np.stack([xyz(*xy) for xy in primaries], -1)
    if abs(np.linalg.det(columns)) < 1e-6:
        raise ValueError("chromaticities on one line")
    columns = columns * np.linalg.solve(columns, xyz(*white))
    gains = (_BRADFORD @ D50) / (_BRADFORD @ xyz(*white))
    return np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD @ columns
