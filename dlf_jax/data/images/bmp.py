"""BMP: pixels by Pillow, the colour space from the headers of versions 4 and 5."""

import struct

import numpy as np

from dlf_jax.data.images.color import Colour, Profile
from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check, eight_bits, opened
from dlf_jax.data.images.shaper import Shaper, matrix_of, power

_V4, _V5 = 108, 124  # sizes of the headers
_CALIBRATED, _EMBEDDED = 0, b"DEBM"


def read(data: bytes, check: Check) -> Picture:
    """Reads a BMP file."""
    with opened(data, "BMP", check) as image:
        picture = eight_bits(image)
    if picture.alpha is not None and not picture.alpha.any():
        picture.alpha = None  # writers that name an alpha mask and leave it empty
    picture.colour = _colour(data[14:])
    return picture


def _colour(header: bytes) -> Colour | None:
    size = int.from_bytes(header[:4], "little")
    if size < _V4 or len(header) < size:
        return None
    if size >= _V5 and header[56:60] == _EMBEDDED:
        place, length = struct.unpack_from("<II", header, 112)
        return Profile(header[place : place + length])
    if int.from_bytes(header[56:60], "little") == _CALIBRATED:
        return _calibrated(*struct.unpack_from("<9I3I", header, 60))
    return None


def _calibrated(*values: int) -> Shaper | None:
    """The space of three endpoints, XYZ in 2.30 bits, and gammas in 16.16 bits."""
    endpoints = np.array(values[:9]).reshape(3, 3) / 2**30
    gammas = np.array(values[9:]) / 2**16
    white = endpoints.sum(0)
    if not (gammas.all() and endpoints.sum(1).all()):
        return None  # many writers leave the fields empty
    chromaticities = endpoints[:, :2] / endpoints.sum(1, keepdims=True)
    try:
        matrix = matrix_of(chromaticities, white[:2] / white.sum())
    except (ValueError, np.linalg.LinAlgError):
        return None
    return Shaper(tuple(power(gamma) for gamma in gammas), matrix)
