"""WebP: pixels from Pillow, profile and EXIF from the chunks."""

import struct

from dlf_jax.data.images.camera import colour_of
from dlf_jax.data.images.exif import read_exif
from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check, eight_bits, opened


def read(data: bytes, check: Check) -> Picture:
    """Reads a WebP file; the first frame of an animation."""
    chunks, place = {}, 12
    while place + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, place)
        if kind in (b"ICCP", b"EXIF"):
            chunks.setdefault(kind, data[place + 8 : place + 8 + size])
        place += 8 + size + size % 2
    with opened(data, "WEBP", check) as image:
        picture = eight_bits(image)
    exif = read_exif(chunks.get(b"EXIF", b""))
    picture.orientation = exif.orientation
    picture.colour = colour_of(chunks.get(b"ICCP", b""), exif)
    return picture
