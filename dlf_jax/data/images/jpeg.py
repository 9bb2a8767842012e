"""JPEG: pixels from Pillow, profile and EXIF from the segments."""

from dlf_jax.data.images import Unsupported
from dlf_jax.data.images.camera import colour_of
from dlf_jax.data.images.exif import Exif, read_exif
from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check, eight_bits, opened

_SOI, _SOS, _APP0, _APP1, _APP2, _ADOBE, _COM = 0xD8, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def read(data: bytes, check: Check) -> Picture:
    """Reads a JPEG file; the first picture if it holds several (MPF, gain maps)."""
    kept, exif, profile = _separated(data)
    with opened(kept, "JPEG", check) as image:
        picture = eight_bits(image)
    picture.orientation = exif.orientation
    picture.colour = colour_of(profile, exif)
    return picture


def _separated(data: bytes) -> tuple[bytes, Exif, bytes]:
    """Splits a file into the coded picture, EXIF and profile."""
    kept, exif, parts = [data[:2]], None, {}
    place = 2
    while (start := data.find(b"\xff", place)) >= 0:
        while data[start + 1 : start + 2] == b"\xff":  # fill bytes
            start += 1
        if start + 2 > len(data):
            break
        marker = data[start + 1]
        if marker == _SOS:
            kept.append(data[start:])
            break
        if marker in _ALONE or marker == 0:
            place = start + 2
            continue
        place = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        segment = data[start + 4 : place]
        if marker in _FRAMES and segment and segment[0] != 8:
            raise Unsupported(f"is a JPEG of {segment[0]} bits: convert it to 8")
        if marker == _APP1 and segment[:5] == b"Exif\0":
            exif = exif or read_exif(segment[6:])
        elif marker == _APP2 and segment[:12] == b"ICC_PROFILE\0":
            parts.setdefault(segment[12:13], segment[14:])
        if not (_APP0 < marker <= 0xEF or marker == _COM) or marker == _ADOBE:
            kept.append(data[start:place])
    profile = b"".join(part for _, part in sorted(parts.items()))
    return b"".join(kept), exif or Exif(), profile
