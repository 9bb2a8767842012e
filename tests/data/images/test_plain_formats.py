"""BMP, GIF, WebP and the family of PPM."""

import struct

import numpy as np
import pytest
from PIL import Image

from dlf_jax.data.image_io import decode_image
from dlf_jax.errors import UserError
from tests.data.images.files import (
    TURNED,
    exchanging_profile,
    exif,
    grey,
    saved,
    shown,
    squares,
)

PLAIN = [[[55, 128, 200]]]


def bmp(bits, kind, pixels, width=2, masks=(), size=40, colour=b""):
    """BMP of one row."""
    header = struct.pack("<IiiHHII16x", size, width, 1, 1, bits, kind, len(pixels))
    packed = struct.pack(f"<{len(masks)}I", *masks)
    if size > 40:
        header = (header + packed).ljust(56, b"\0") + colour
        header, packed = header.ljust(size, b"\0"), b""
    start = 14 + len(header) + len(packed)
    return b"BM" + struct.pack("<IHHI", start, 0, 0, start) + header + packed + pixels


@pytest.mark.parametrize(
    ("bits", "kind", "pixels", "masks", "want"),
    [
        (16, 0, (0x7FFF, 0x7C00), (), [[255, 255, 255], [255, 0, 0]]),
        (
            16,
            3,
            (0x8410, 0x07E0),
            (0xF800, 0x7E0, 0x1F),
            [[132, 130, 132], [0, 255, 0]],
        ),
        (32, 0, (0x0A141E, 0x770A141E), (), [[10, 20, 30]] * 2),
        (32, 3, (0x0A141E, 0), (0xFF, 0xFF00, 0xFF0000), [[30, 20, 10], [0, 0, 0]]),
        (
            32,
            3,
            (1023 << 20, 512),
            (1023 << 20, 1023 << 10, 1023),
            [[255, 0, 0], [0, 0, 128]],
        ),
    ],
)
def test_bmp_of_fields(bits, kind, pixels, masks, want):
    data = struct.pack(f"<2{'H' if bits == 16 else 'I'}", *pixels)
    assert shown(bmp(bits, kind, data, masks=masks)) == [want]


def test_bmp_with_alpha():
    masks = 0xFF0000, 0xFF00, 0xFF, 0xFF000000
    for alpha, want in ((0, [10, 20, 30]), (0xFF000000, [255] * 3)):
        # Where all alpha is zero nobody wrote one.
        pixels = struct.pack("<II", 0x0A141E | alpha, 0x0A141E)
        seen = shown(bmp(32, 3, pixels, masks=masks, size=108, colour=b"BGRs"))
        assert seen == [[[10, 20, 30], want]]


def test_bmp_run_lengths():
    rows = bytes([4, 7, 0, 0, 0, 3, 1, 2, 3, 0, 1, 0, 0, 1])
    head = struct.pack("<IiiHHII8xI4x", 40, 4, 2, 1, 8, 1, len(rows), 10)
    palette = b"".join(bytes([i, 2 * i, 3 * i, 0]) for i in range(10))
    start = 14 + len(head) + len(palette)
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, start) + head + palette + rows
    seen = decode_image(data, "file")[..., 2].tolist()
    assert seen == [[1, 2, 3, 0], [7, 7, 7, 7]]


def test_bmp_with_an_embedded_profile():
    pixels, profile = squares()[::-1, :, ::-1].tobytes(), exchanging_profile()
    head = struct.pack("<IiiHHII16x", 124, 64, 64, 1, 24, 0, len(pixels))
    head += bytes(16) + b"DEBM" + bytes(48)
    head += struct.pack("<4I", 4, 124 + len(pixels), len(profile), 0)
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 138) + head + pixels + profile
    seen = decode_image(data, "file")
    np.testing.assert_allclose(seen, squares()[..., [1, 0, 2]], atol=2)


def test_bmp_with_calibrated_colours():
    points = (0.4124, 0.2126, 0.0193, 0.3576, 0.7152, 0.1192, 0.1805, 0.0722, 0.9505)
    endpoints = struct.pack("<9I", *(round(x * 2**30) for x in points))
    gammas = struct.pack("<3I", *[1 << 16] * 3)
    for colour, want in (
        (bytes(4) + endpoints + gammas, [[[128, 188, 229]]]),
        (bytes(4), PLAIN),
        (b"BGRs" + endpoints + gammas, PLAIN),
    ):
        pixel = bytes([200, 128, 55, 0])
        seen = shown(bmp(24, 0, pixel, width=1, size=108, colour=colour))
        np.testing.assert_allclose(seen, want, atol=1)


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b"P6 1 1 255\n" + bytes([55, 128, 200]), PLAIN),
        (b"P6\n# 3 4\n1 # w\n1\n255\n" + bytes([55, 128, 200]), PLAIN),
        (b"P6 1 1 1023\n" + struct.pack(">3H", 1023, 0, 511), [[[255, 0, 127]]]),
        (b"P5 3 1 100\n" + bytes([100, 50, 0]), grey(255, 128, 0)),
        (b"P5 3 1 65535\n" + struct.pack(">3H", 65535, 32768, 0), grey(255, 128, 0)),
        (b"P5 2 1 7\n" + bytes([7, 200]), grey(255, 255)),
        (b"P4 3 1\n\xa0", grey(0, 255, 0)),
        (b"P3 1 1 255 55 128 200", PLAIN),
        (b"P2 3 1 15\n15 0 # 9\n 7\n", grey(255, 0, 119)),
        (b"P1 3 1\n101", grey(0, 255, 0)),
        (
            b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 1023\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
            + struct.pack(">4H", 1023, 0, 0, 0),
            grey(255),
        ),
    ],
)
def test_ppm_and_its_family(data, want):
    assert shown(data) == want


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"P6 2 1 255\n" + bytes(3), "3 of 6 samples are missing"),
        (b"P6 99999 99999 255\n", "9999[89]00000 megapixels|10000 megapixels"),
        (b"P5 1 1 65536\n" + bytes(4), "invalid shape"),
        (b"P5 x", "header"),
        (b"PF\n1 1\n-1.0\n" + bytes(12), "floating-point"),
    ],
)
def test_ppm_that_is_rejected(data, message):
    with pytest.raises(UserError, match=message):
        shown(data)


def test_gif_shows_white_where_its_first_frame_is_not():
    data = bytearray(saved(Image.new("P", (2, 1)), "GIF"))
    struct.pack_into("<HH", data, 6, 4, 1)  # the canvas
    struct.pack_into("<H", data, data.index(b",") + 1, 1)  # left of the frame
    assert shown(bytes(data)) == grey(255, 0, 0, 255)


def test_first_frame_of_gif_and_webp():
    frames = Image.fromarray(squares()), Image.fromarray(255 - squares())
    options = {"save_all": True, "append_images": frames[1:]}
    seen = decode_image(saved(frames[0], "WEBP", lossless=True, **options), "file")
    np.testing.assert_array_equal(seen, squares())
    seen = decode_image(saved(frames[0].quantize(64), "GIF", **options), "file")
    np.testing.assert_array_equal(seen, squares())


@pytest.mark.parametrize(
    ("metadata", "turned"),
    [
        (exif(TURNED), True),
        (exif(TURNED, (0x11A, 2, 4, b"72\0\0")), True),
        (b"garbage!", False),
    ],
)
def test_exif_of_webp(metadata, turned):
    seen = decode_image(saved(squares(), "WEBP", lossless=True, exif=metadata), "file")
    np.testing.assert_array_equal(
        seen, np.rot90(squares(), -1) if turned else squares()
    )


def test_profile_of_webp():
    data = saved(squares(), "WEBP", lossless=True, icc_profile=exchanging_profile())
    seen = decode_image(data, "file")
    np.testing.assert_allclose(seen, squares()[..., [1, 0, 2]], atol=2)


@pytest.mark.parametrize(
    "start",
    [b"IIRO\x08\0\0\0", b"IIU\0", b"FUJIFILMCCD-RAW ", b"\0\0\0\x18ftypcrx \0\0\0\1"],
)
def test_camera_raw_is_rejected(start):
    with pytest.raises(UserError, match="a camera's RAW file: develop it"):
        shown(start + bytes(64))
