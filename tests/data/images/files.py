"""Hand-made image files with features that no library writes."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

from dlf_jax.data.image_io import decode_image


def shown(data):
    """Rows of pixels, as decoded."""
    return decode_image(data, "file").tolist()


def grey(*values):
    """A row of grey pixels."""
    return [[[value] * 3 for value in values]]


def saved(image, kind, **options):
    """Bytes of an image that Pillow saves."""
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, body):
    """A chunk of PNG."""
    crc = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def png(depth, colour_type, row, *before, width=1, after=()):
    """PNG of one row, with chunks before and after the pixels."""
    header = struct.pack(">IIBBBBB", width, 1, depth, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(b"\0" + row))]
    chunks += [*after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def box(kind, body):
    """A box of an ISO file."""
    return struct.pack(">I", 8 + len(body)) + kind + body


def directory(order, entries):
    """Directory of TIFF and EXIF: (tag, type, count, four bytes)."""
    packed = [
        struct.pack(f"{order}HHI", *e[:3]) + e[3].ljust(4, b"\0") for e in entries
    ]
    return struct.pack(f"{order}H", len(entries)) + b"".join(packed) + bytes(4)


def exif(*entries):
    """EXIF of one directory."""
    return b"II*\0\x08\0\0\0" + directory("<", entries)


TURNED = (0x112, 3, 1, b"\6\0")  # to the right


def exchanging_profile():
    """sRGB profile with the red and green primaries exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {}
    for i in range(struct.unpack_from(">I", data, 128)[0]):
        name, offset, _ = struct.unpack_from(">4sII", data, 132 + 12 * i)
        tags[name] = 132 + 12 * i, offset
    for name, other in ((b"rXYZ", b"gXYZ"), (b"gXYZ", b"rXYZ")):
        struct.pack_into(">I", data, tags[name][0] + 4, tags[other][1])
    return bytes(data)


def squares():
    """64 x 64 pixels of many colours, in squares of 8."""
    ramp = np.arange(8, dtype=np.uint8) * 36
    colours = np.stack([*np.meshgrid(ramp, ramp), np.full((8, 8), 90, np.uint8)], -1)
    return np.kron(colours, np.ones((8, 8, 1), np.uint8))
