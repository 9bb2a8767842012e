"""JPEG: metadata neither change nor break the coded picture."""

import struct

import numpy as np
import pytest

from dlf_jax.data.image_io import decode_image
from dlf_jax.errors import UserError
from tests.data.images.files import TURNED, directory, exif, saved, squares

FILE = saved(squares(), "JPEG", quality=98, subsampling=0)


def with_segments(*segments, data=FILE):
    """Inserts segments of (marker, content) at the beginning of a file."""
    packed = [
        b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body
        for marker, body in segments
    ]
    return data[:2] + b"".join(packed) + data[2:]


def is_squares(data):
    return abs(decode_image(data, "file").astype(int) - squares()).max() <= 6


@pytest.mark.parametrize(
    "segment",
    [
        (0xE1, b"Exif\0\0garbage"),
        (0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
        (0xE2, b"ICC_PROFILE\0\1\2garbage"),
        (0xE2, b"MPF\0II*\0garbage"),
        (0xED, b"Photoshop 3.0\x008BIMgarbage"),
        (0xFE, b"c" * 60_000),
    ],
)
def test_garbage_beside_the_picture(segment):
    assert is_squares(with_segments(segment))


def test_bytes_behind_the_picture():
    assert is_squares(FILE + b"garbage" * 100)
    assert is_squares(FILE + saved(255 - squares(), "JPEG"))


@pytest.mark.parametrize(
    "entries",
    [
        [TURNED],
        [TURNED, (0x11A, 2, 4, b"72\0\0")],
        [(258, 2, 4, b"8,8\0"), TURNED],
    ],
)
def test_orientation_beside_odd_fields(entries):
    data = with_segments((0xE1, b"Exif\0\0" + exif(*entries)))
    seen = decode_image(data, "file").astype(int)
    assert abs(seen - np.rot90(squares(), -1)).max() <= 6


def test_adobe_rgb_of_cameras():
    """R03 in EXIF, without a profile: green is greener than that of sRGB."""
    start = 26
    data = b"II*\0\x08\0\0\0"
    data += directory("<", [(0x8769, 4, 1, struct.pack("<I", start))])
    data += directory("<", [(0xA005, 4, 1, struct.pack("<I", start + 18))])
    for index, want in ((b"R03\0", [66, 151, 96]), (b"R98\0", [100, 150, 100])):
        body = b"Exif\0\0" + data + directory("<", [(1, 2, 4, index)])
        flat = saved(
            np.full((16, 16, 3), (100, 150, 100), np.uint8), "JPEG", quality=98
        )
        seen = decode_image(with_segments((0xE1, body), data=flat), "file")
        np.testing.assert_allclose(seen[0, 0], want, atol=2)


def test_rgb_without_differences():
    """Adobe's transform 0: the components are red, green and blue."""
    data = saved(squares(), "JPEG", quality=98, keep_rgb=True)
    assert is_squares(data)


def test_twelve_bits_are_rejected():
    data = bytearray(FILE)
    data[data.find(b"\xff\xc0") + 4] = 12
    with pytest.raises(UserError, match="JPEG of 12 bits"):
        decode_image(bytes(data), "file")
