"""AVIF, HEIC and JPEG XL: colour spaces, depth, orientation."""

import io
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from dlf_jax.data.formats import READABLE
from dlf_jax.data.image_io import decode_image
from dlf_jax.data.images import heif
from dlf_jax.errors import UserError
from tests.data.images.files import TURNED, box, exif, saved, squares

COLOUR = (55, 128, 200)
FLAT = np.full((32, 32, 3), COLOUR, np.uint8)
SRGB_POINTS = b"nclx" + struct.pack(">2H", 1, 13)


def avif(primaries, transfer, image=FLAT):
    data = saved(image, "AVIF", quality=100, subsampling="4:4:4")
    assert data.count(SRGB_POINTS) == 1
    return data.replace(SRGB_POINTS, b"nclx" + struct.pack(">2H", primaries, transfer))


@pytest.mark.parametrize(
    ("primaries", "transfer", "want"),
    [
        (1, 13, COLOUR),
        (2, 2, COLOUR),
        (12, 13, (0, 130, 206)),
        (1, 8, (128, 188, 229)),
        (1, 1, (70, 140, 205)),  # the inverse of what BT.709 has cameras do
    ],
)
def test_code_points_of_avif(primaries, transfer, want):
    seen = decode_image(avif(primaries, transfer), "file")
    np.testing.assert_allclose(seen, np.broadcast_to(want, seen.shape), atol=3)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_avif_is_rejected(transfer, name):
    with pytest.raises(UserError, match=rf"HDR picture \({name}\)"):
        decode_image(avif(9, transfer), "file")


def test_unknown_code_points_are_rejected():
    with pytest.raises(UserError, match="transfer function 9 of H.273"):
        decode_image(avif(1, 9), "file")


def test_dark_linear_light_of_ten_bits_is_rejected_for_what_8_bits_lose(monkeypatch):
    """Pillow writes no AVIF of ten bits."""
    dark = avif(1, 8, np.full((32, 32, 3), 3, np.uint8))
    decode_image(dark, "file")
    monkeypatch.setattr(heif, "_bits", lambda properties: 10)
    decode_image(avif(1, 8, np.full((32, 32, 3), 99, np.uint8)), "file")
    with pytest.raises(UserError, match="in linear light"):
        decode_image(dark, "file")


def test_orientation_is_applied_once():
    image = squares()
    data = saved(image, "AVIF", quality=100, subsampling="4:4:4", exif=exif(TURNED))
    seen = decode_image(data, "file").astype(int)
    assert abs(seen - np.rot90(image, -1)).max() <= 6


def test_heic():
    pillow_heif = pytest.importorskip("pillow_heif")
    image = Image.fromarray(squares())
    lossless = {"quality": -1, "chroma": 444}

    def written(**options):
        buffer = io.BytesIO()
        pillow_heif.from_pillow(image).save(buffer, **lossless, **options)
        return buffer.getvalue()

    seen = decode_image(written(exif=exif(TURNED)), "file").astype(int)
    assert abs(seen - np.rot90(squares(), -1)).max() <= 3
    points = {"matrix_coefficients": 6, "full_range_flag": 1}
    p3 = written(color_primaries=12, transfer_characteristics=13, **points)
    linear = written(color_primaries=1, transfer_characteristics=8, **points)
    assert decode_image(p3, "file")[0, 63, 0] == 255
    assert decode_image(linear, "file")[0, 0, 2] in range(
        158, 164
    )  # 90 in linear light
    with pytest.raises(UserError, match="HDR picture"):
        decode_image(
            written(color_primaries=9, transfer_characteristics=18, **points), "file"
        )
    with pytest.raises(UserError, match="megapixels"):
        decode_image(p3, "file", max_pixels=64 * 64 - 1)


@pytest.mark.parametrize("mode", ["RGB;16", "I;16"])
def test_heic_of_ten_bits_reaches_white(mode):
    pillow_heif = pytest.importorskip("pillow_heif")
    channels = 3 if mode == "RGB;16" else 1
    pixels = np.full((64, 64, channels), 65535, np.uint16)
    buffer = io.BytesIO()
    pillow_heif.from_bytes(mode, (64, 64), pixels.tobytes()).save(buffer, quality=-1)
    assert decode_image(buffer.getvalue(), "file").min() >= 254


def test_jpeg_xl():
    pytest.importorskip("pillow_jxl")
    data = saved(squares(), "JXL", lossless=True)
    np.testing.assert_array_equal(decode_image(data, "file"), squares())
    with pytest.raises(UserError, match="megapixels"):
        decode_image(data, "file", max_pixels=64 * 64 - 1)
    turned = saved(
        Image.open(io.BytesIO(saved(squares(), "JPEG", quality=98, exif=exif(TURNED)))),
        "JXL",
        lossless_jpeg=True,
    )
    seen = decode_image(turned, "file")
    assert seen.shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("start", "package", "module"),
    [
        (b"\xff\x0a", "pillow-jxl-plugin", "pillow_jxl"),
        (box(b"ftyp", b"heic\0\0\0\0mif1heic"), "pillow-heif", "pillow_heif"),
    ],
)
def test_a_missing_package_is_named(monkeypatch, start, package, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"is missing: .*pip install {package}"):
        decode_image(start + bytes(64), "file")


def test_every_command_takes_the_same_endings_for_photos():
    assert {".jpg", ".png", ".heic", ".jxl", ".avif", ".jp2", ".tif"} <= READABLE
    assert ".dlf" not in READABLE
