"""ICC profiles: number of channels, and matrix/TRC profiles as a `Shaper`."""

import functools
import struct

import numpy as np

from dlf_jax.data.images import cicp
from dlf_jax.data.images.shaper import Curve, Shaper, matrix_to_srgb

# Colour space in the header -> channels of its pictures.
_CHANNELS = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}
_TABLES = {b"A2B0", b"A2B1", b"D2B0", b"D2B1"}  # override the matrix
# Parameters of a `para` curve, by function type.
_PARAMETERS = ("g", "gab", "gabc", "gabcd", "gabcdef")


def channels_of(profile: bytes) -> int:
    """Number of channels that a profile is made for; 0 if invalid or unsupported.

    Raises:
      Unsupported: the profile marks the picture as HDR.
    """
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return 0
    tag = _tags(profile).get(b"cicp", b"")
    if tag[:4] == b"cicp" and len(tag) >= 12:
        cicp.check_sdr(tag[9])
    return _CHANNELS.get(profile[16:20], 0)


@functools.lru_cache(maxsize=16)
def shaper_of(profile: bytes) -> Shaper | None:
    """Returns curves and matrix of a grey or RGB profile; None if table-based."""
    tags = _tags(profile)
    if profile[20:24] != b"XYZ " or tags.keys() & _TABLES:
        return None
    try:
        if profile[16:20] == b"GRAY":
            return Shaper((_curve(tags[b"kTRC"]),))
        curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
        colorants = [
            np.array(struct.unpack_from(">3i", tags[name], 8)) / 65536
            for name in (b"rXYZ", b"gXYZ", b"bXYZ")
        ]
    except (KeyError, ValueError, struct.error):
        return None
    return Shaper(curves, matrix_to_srgb(np.stack(colorants, -1)))


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = min(int.from_bytes(profile[128:132], "big"), 100)
    found = {}
    for place in range(132, min(132 + 12 * count, len(profile) - 11), 12):
        name, offset, size = struct.unpack_from(">4sII", profile, place)
        found[name] = profile[offset : offset + size]
    return found


def _curve(tag: bytes) -> Curve:
    kind, count = struct.unpack_from(">4s4xI", tag)
    if kind == b"curv":
        if count == 0:
            return lambda code: code
        table = np.frombuffer(tag, ">u2", count, 12) / 65535
        if count == 1:
            gamma = float(table[0]) * 65535 / 256
            return lambda code: code**gamma
        return lambda code: np.interp(code, np.linspace(0, 1, count), table)
    if kind == b"para" and count >> 16 < len(_PARAMETERS):
        names = _PARAMETERS[count >> 16]
        values = np.array(struct.unpack_from(f">{len(names)}i", tag, 12)) / 65536
        return _parametric(**dict(zip(names, values.tolist(), strict=True)))
    raise ValueError(f"unknown curve {kind!r}")


def _parametric(
    g: float,
    a: float = 1,
    b: float = 0,
    c: float = 0,
    d: float | None = None,
    e: float | None = None,
    f: float = 0,
) -> Curve:
    """Parametric curve: (a x + b)^g for x >= d, linear below."""
    if d is None:  # types 1 and 2: c is added everywhere, and is the value below -b/a
        return lambda x: np.maximum(a * x + b, 0) ** g + c
    above = 0.0 if e is None else e
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + above, c * x + f)
