"""PNG: every depth and type, metadata, and the precedence of colour spaces."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dlf_jax.data.image_io import decode_image
from dlf_jax.errors import UserError
from tests.data.images.files import (
    TURNED,
    chunk,
    exchanging_profile,
    exif,
    grey,
    png,
    saved,
    shown,
    squares,
)

PIXEL = bytes([55, 128, 200])
PLAIN, LINEAR = [[[55, 128, 200]]], [[[128, 188, 229]]]


def number(*values):
    return struct.pack(f">{len(values)}H", *values)


def long(*values):
    return struct.pack(f">{len(values)}I", *values)


SRGB_CHROMATICITIES = long(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
P3_CHROMATICITIES = long(31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


@pytest.mark.parametrize(
    ("depth", "row", "key", "want"),
    [
        (1, b"\x80", 0, (255, 255)),
        (2, b"\x1b", 1, (0, 255, 170, 255)),
        (4, b"\x05\xaf", 5, (0, 255, 170, 255)),
        (8, b"\x05\x06", 5, (255, 6)),
        (16, number(1000, 1001), 1000, (255, 4)),
    ],
)
def test_one_grey_may_be_transparent(depth, row, key, want):
    data = png(depth, 0, row, (b"tRNS", number(key)), width=len(want))
    assert shown(data) == grey(*want)


@pytest.mark.parametrize(
    ("key", "first"), [((0x8000, 0x4000, 0), [255] * 3), ((0x8000,) * 3, [128, 64, 0])]
)
def test_one_colour_of_sixteen_bits_may_be_transparent(key, first):
    row = number(0x8000, 0x4000, 0, 0, 257, 514)
    assert shown(png(16, 2, row, (b"tRNS", number(*key)), width=2)) == [
        [first, [0, 1, 2]]
    ]


def test_the_transparent_colour_of_eight_bits():
    row = bytes([255, 0, 255, 0, 1, 2])
    data = png(8, 2, row, (b"tRNS", number(255, 0, 255)), width=2)
    assert shown(data) == [[[255] * 3, [0, 1, 2]]]


def test_sixteen_bits_are_rounded_alike_in_every_type():
    values, want = (0, 128, 129, 0x80FF, 65406, 65407), (0, 0, 1, 128, 254, 255)
    assert shown(png(16, 0, number(*values), width=6)) == grey(*want)
    rows = {
        4: [each for value in values for each in (value, 65535)],
        2: np.repeat(values, 3),
        6: [each for value in values for each in (value, value, value, 65535)],
    }
    for colour_type, row in rows.items():
        assert shown(png(16, colour_type, number(*row), width=6)) == grey(*want)


def test_alpha_of_sixteen_bits():
    assert shown(png(16, 4, number(0, 32768))) == grey(127)
    assert shown(png(16, 6, number(65535, 0, 0, 32768))) == [[[255, 127, 127]]]


def test_interlaced_sixteen_bits_with_filters():
    """Rows of seven passes, each with filter Sub; Pillow cannot write such a file."""
    values = np.arange(8 * 8 * 3, dtype=np.uint16).reshape(8, 8, 3) * 300
    passes = b""
    for x, y, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        for row in values[y::dy, x::dx].astype(">u2"):
            raw = np.frombuffer(row.tobytes(), np.uint8)
            passes += b"\1" + (raw - np.r_[np.zeros(6, np.uint8), raw[:-6]]).tobytes()
    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 1)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(passes)), (b"IEND", b"")
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
    np.testing.assert_array_equal(shown(data), (values + 128) // 257)


def test_palette_of_any_depth_with_alpha():
    palette = bytes([10, 20, 30, 40, 50, 60, 0, 0, 0, 70, 80, 90])
    want = [[[255] * 3, [40, 50, 60], [0] * 3, [70, 80, 90]]]
    for depth, row in ((2, b"\x1b"), (4, b"\x01\x23"), (8, b"\0\1\2\3")):
        chunks = (b"PLTE", palette), (b"tRNS", b"\0")
        assert shown(png(depth, 3, row, *chunks, width=4)) == want


@pytest.mark.parametrize(
    "beside",
    [
        (b"zTXt", b"parameters\0\0" + zlib.compress(b"a" * 2_000_000)),
        (b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"a" * 2_000_000)),
        (b"tEXt", b"k\0" + b"a" * 70_000_000),
        (b"iCCP", b"p\0\0" + zlib.compress(np.random.default_rng(0).bytes(1_500_000))),
        (b"iCCP", b"p\0\0" + zlib.compress(bytes(2**25))),  # decompresses to too much
        (b"iCCP", b""),
        (b"iCCP", b"p\0\7x"),
        (b"eXIf", b"garbage!"),
        (b"eXIf", b"II*"),
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(2**25))),
        (b"gAMA", b"\1"),
        (b"gAMA", bytes(4)),
        (b"cHRM", bytes(32)),
        (b"tRNS", b"\1\2"),
        (b"cICP", bytes([1, 8, 1, 1])),  # a matrix: no such PNG exists
    ],
    ids=lambda beside: f"{beside[0].decode()}-{len(beside[1])}",
)
def test_pixels_are_read_whatever_stands_beside_them(beside):
    assert shown(png(8, 2, PIXEL, beside)) == PLAIN
    if len(beside[1]) < 10_000_000:
        assert shown(png(8, 2, PIXEL, after=[beside])) == PLAIN


def test_damage_is_told_from_what_does_no_harm():
    data = bytearray(png(8, 2, PIXEL, (b"tIME", b"\7\xe0\1\1\1\1\1")))
    data[data.find(b"tIME") + 12] ^= 1
    assert shown(bytes(data)) == PLAIN
    assert shown(bytes(data[:-12]) + b"more") == PLAIN  # no end
    data[data.find(b"IDAT") + 6] ^= 1
    with pytest.raises(UserError, match="wrong checksum of chunk IDAT"):
        shown(bytes(data))
    with pytest.raises(UserError, match="unknown critical PNG chunk b'CgBI'"):
        shown(png(8, 2, PIXEL, (b"CgBI", bytes(4))))


@pytest.mark.parametrize(
    "beside",
    [
        (b"eXIf", exif(TURNED)),
        (
            b"tEXt",
            b"Raw profile type APP1\0\nAPP1\n   32\n"
            + (b"Exif\0\0" + exif(TURNED)).hex().encode(),
        ),
        (
            b"zTXt",
            b"Raw profile type exif\0\0"
            + zlib.compress(b"\nexif\n   26\n" + exif(TURNED).hex().encode() + b"\n"),
        ),
    ],
    ids=["eXIf", "text", "compressed text"],
)
def test_orientation(beside):
    upright = [grey(1)[0], grey(2)[0]]
    assert shown(png(8, 0, b"\1\2", beside, width=2)) == upright
    assert shown(png(8, 0, b"\1\2", width=2, after=[beside])) == upright


PROFILE = (b"iCCP", b"p\0\0" + zlib.compress(exchanging_profile()))


@pytest.mark.parametrize(
    ("chunks", "want"),
    [
        ([(b"gAMA", long(100000))], LINEAR),
        ([(b"gAMA", long(45455))], PLAIN),
        ([(b"gAMA", long(45455)), (b"cHRM", SRGB_CHROMATICITIES)], PLAIN),
        ([(b"gAMA", long(45455)), (b"cHRM", P3_CHROMATICITIES)], [[[0, 130, 206]]]),
        ([(b"sRGB", b"\0"), (b"gAMA", long(100000))], PLAIN),
        ([(b"cICP", bytes([1, 13, 0, 1]))], PLAIN),
        ([(b"cICP", bytes([1, 8, 0, 1])), (b"sRGB", b"\0")], LINEAR),
        ([(b"cICP", bytes([12, 13, 0, 1]))], [[[0, 130, 206]]]),
        ([(b"cICP", bytes([1, 13, 0, 0]))], [[[45, 130, 214]]]),  # 16 to 235
        ([PROFILE, (b"sRGB", b"\0")], [[[128, 55, 200]]]),
        ([PROFILE, (b"cICP", bytes([1, 8, 0, 1]))], LINEAR),
        ([(b"iCCP", b"p\0\0x"), (b"gAMA", long(100000))], LINEAR),
    ],
)
def test_the_colour_space_that_goes_first(chunks, want):
    np.testing.assert_allclose(shown(png(8, 2, PIXEL, *chunks)), want, atol=1)


@pytest.mark.parametrize(
    ("beside", "name"),
    [
        ((b"cICP", bytes([9, 16, 0, 1])), "PQ"),
        ((b"cICP", bytes([9, 18, 0, 1])), "HLG"),
        ((b"iCCP", b"ITUR_2100_PQ_FULL\0\0" + zlib.compress(b"x")), "PQ"),
    ],
)
def test_hdr_is_rejected(beside, name):
    with pytest.raises(UserError, match=rf"file is an HDR picture \({name}\)"):
        shown(png(8, 2, PIXEL, beside))


def test_dark_linear_light_keeps_its_sixteen_bits():
    """With 8 bits of linear light the result would be 0, 0 and 13."""
    row = number(20, 100, 200)
    assert shown(png(16, 2, row, (b"gAMA", long(100000)))) == [[[1, 5, 10]]]


def test_the_default_image_of_an_animation():
    frames = Image.fromarray(squares()), Image.fromarray(255 - squares())
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert b"acTL" in data
    np.testing.assert_array_equal(decode_image(data, "file"), frames[0])
