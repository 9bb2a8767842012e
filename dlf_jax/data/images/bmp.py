"""BMP: pixels from Pillow or bit fields, colour space from headers V4 and V5."""

import struct

import numpy as np
from jaxtyping import Shaped, UInt8

from dlf_jax.data.images.color import Colour, Profile
from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check, eight_bits, opened
from dlf_jax.data.images.shaper import Shaper, matrix_of, power

_INFO, _WITH_ALPHA, _V4, _V5 = 40, 56, 108, 124  # sizes of the headers
_ALPHA_FIELDS = 6
_FIELDS = (3, _ALPHA_FIELDS)  # compression types with bit masks
_CALIBRATED, _EMBEDDED = 0, b"DEBM"


def read(data: bytes, check: Check) -> Picture:
    """Reads a BMP file."""
    picture = _from_bit_fields(data, check)
    if picture is None:
        with opened(data, "BMP", check) as image:
            picture = eight_bits(image)
    if picture.alpha is not None and not picture.alpha.any():
        picture.alpha = None  # some writers name an alpha mask and leave alpha empty
    picture.colour = _colour(data[14:])
    return picture


def _from_bit_fields(data: bytes, check: Check) -> Picture | None:
    """Reads pixels of 16 or 32 bits with bit masks; None for other files.

    Pillow supports only some masks.
    """
    start, size, width, height, _, bits, kind = struct.unpack_from("<IIiiHHI", data, 10)
    if size < _INFO or kind not in _FIELDS or bits not in (16, 32):
        return None
    check(abs(width), abs(height))
    masks = struct.unpack_from("<4I", data, 54)
    if size < _WITH_ALPHA and kind != _ALPHA_FIELDS:
        masks = masks[:3]
    row = -(-width * bits // 32) * 4
    rows = np.frombuffer(data, np.uint8, row * abs(height), start)
    numbers = rows.reshape(abs(height), row).view(f"<u{bits // 8}")[:, :width]
    if height > 0:
        numbers = numbers[::-1]
    planes = [_field(numbers, mask) for mask in masks if mask or len(masks) == 3]
    alpha = planes[3] if len(planes) == 4 else None
    return Picture(np.stack(planes[:3], -1), alpha=alpha)


def _field(numbers: Shaped[np.ndarray, "H W"], mask: int) -> UInt8[np.ndarray, "H W"]:
    """Scales the contiguous bits of a mask to 0..255."""
    shift = (mask & -mask).bit_length() - 1
    top = mask >> max(shift, 0)
    if not mask or top & (top + 1) or top >= 2**16:
        raise ValueError(f"mask {mask:#x} of a colour")
    values = (numbers & mask) >> shift
    return np.uint8((510 * values.astype(np.uint32) + top) // (2 * top))


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
    """Colour space of three endpoints (XYZ, 2.30 fixed point) and gammas (16.16)."""
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
