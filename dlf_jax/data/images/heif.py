"""AVIF and HEIC: pixels from Pillow and pillow-heif, colour space from the boxes."""

import io
import struct

import numpy as np

from dlf_jax.data.formats import library
from dlf_jax.data.images import Unsupported, cicp
from dlf_jax.data.images.boxes import boxes, first
from dlf_jax.data.images.color import Colour, Profile
from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check, eight_bits, opened
from dlf_jax.data.images.shaper import Shaper

_ORIENTATION = 0x112


def read_avif(data: bytes, check: Check) -> Picture:
    """Reads the primary picture of an AVIF file."""
    properties = _properties(data)
    colour = _colour(properties)
    with opened(data, "AVIF", check) as image:
        picture = eight_bits(image)
        # Pillow replaces the orientation of EXIF by the rotation of the container.
        picture.orientation = image.getexif().get(_ORIENTATION, 1)
    if _bits(properties) > 8 and isinstance(colour, Shaper):
        if colour.is_too_fine(picture.samples):
            raise Unsupported(
                "is an AVIF in linear light, which Pillow rounds to 8 bits, too few "
                "for dark colours: convert it to sRGB"
            )
    picture.colour = colour
    return picture


def read_heic(data: bytes, check: Check) -> Picture:
    """Reads a HEIC file; libheif applies the rotation."""
    colour = _colour(_properties(data))
    file = library("HEIF").open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    check(*file.size)
    pixels = np.asarray(file)[:, : file.size[0]]  # rows are padded
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    bits = 8
    if pixels.dtype == np.uint16:
        bits = file.info["bit_depth"]
        pixels = pixels >> (16 - bits)  # drops padding zeros
    channels = pixels.shape[2]
    alpha = pixels[..., -1] if channels % 2 == 0 else None
    samples = pixels[..., : (channels - 1) | 1]
    picture = Picture(samples, 2**bits - 1, alpha, colour)
    return picture.unpremultiplied() if file.mode.startswith("RGBa") else picture


def _bits(properties: list[tuple[bytes, bytes]]) -> int:
    """Bits per sample; 8 if not given."""
    return max(
        [8, *(x for kind, body in properties if kind == b"pixi" for x in body[5:])]
    )


def _colour(properties: list[tuple[bytes, bytes]]) -> Colour | None:
    """Colour space of the primary picture: a profile overrides code points."""
    found = dict(
        (body[:4], body[4:])
        for kind, body in reversed(properties)
        if kind == b"colr" and len(body) > 4
    )
    for kind in (b"prof", b"rICC"):
        if kind in found:
            return Profile(found[kind])
    if len(found.get(b"nclx", b"")) < 4:
        return None
    return cicp.shaper_of(*struct.unpack_from(">2H", found[b"nclx"]))


def _properties(data: bytes) -> list[tuple[bytes, bytes]]:
    """Property boxes of the primary item."""
    inside = first(data, b"meta")[4:]
    item, properties = first(inside, b"pitm"), first(inside, b"iprp")
    known = list(boxes(first(properties, b"ipco")))
    primary = int.from_bytes(item[4:], "big")
    indices = _associations(first(properties, b"ipma")).get(primary, [])
    return [known[i - 1] for i in indices if 0 < i <= len(known)]


def _associations(body: bytes) -> dict[int, list[int]]:
    """Property numbers of every item, counted from 1."""
    found: dict[int, list[int]] = {}
    if len(body) < 8:
        return found
    version, flags = body[0], body[3]
    (count,), place = struct.unpack_from(">I", body, 4), 8
    item_size, index_size = (2, 4)[version > 0], (1, 2)[flags & 1]
    for _ in range(count):
        item = int.from_bytes(body[place : place + item_size], "big")
        place += item_size
        number = int.from_bytes(body[place : place + 1], "big")
        end = place + 1 + number * index_size
        if end > len(body):
            break
        mask = (
            1 << (8 * index_size - 1)
        ) - 1  # the upper bit marks essential properties
        found[item] = [
            int.from_bytes(body[i : i + index_size], "big") & mask
            for i in range(place + 1, end, index_size)
        ]
        place = end
    return found
