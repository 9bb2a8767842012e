"""Reading of every image format as a viewer shows it; atomic writing."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from dlf_jax.data.image_io import decode_image, encode_image, read_image
from dlf_jax.errors import UserError
from tests.data.images.files import exchanging_profile, saved

RGB = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)


def decoded(image, kind="PNG", **options):
    return decode_image(saved(image, kind, **options), "file")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_are_exact(kind):
    np.testing.assert_array_equal(decoded(RGB, kind), RGB)


def test_jpeg_and_webp():
    flat = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    for kind in ("JPEG", "WEBP"):
        np.testing.assert_allclose(decoded(flat, kind), flat, atol=3)
    np.testing.assert_array_equal(decoded(RGB, "WEBP", lossless=True), RGB)


def test_greyscale_and_one_bit():
    grey = RGB[..., 0]
    np.testing.assert_array_equal(decoded(grey), np.repeat(grey[..., None], 3, 2))
    bits = decoded(Image.fromarray(grey).convert("1", dither=Image.Dither.NONE))
    np.testing.assert_array_equal(bits[..., 1], np.where(grey > 127, 255, 0))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_rounded(kind):
    values = np.array([[0, 128, 129, 257], [32768, 65406, 65407, 65535]], np.uint16)
    want = [[0, 0, 1, 1], [128, 254, 255, 255]]
    assert decoded(values, kind)[..., 0].tolist() == want


def test_twelve_bits_are_scaled_and_numbers_without_a_range_rejected():
    rows = bytes.fromhex("000008 009fff")  # 0, 8, 9 and 4095
    tags = {256: 2, 257: 2, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 2, 279: 6}
    data = struct.pack("<2sHI6sH", b"II", 42, 14, rows, len(tags))
    data += b"".join(struct.pack("<HHII", tag, 4, 1, x) for tag, x in tags.items())
    seen = decode_image(data + bytes(4), "file")
    assert seen[..., 1].tolist() == [[0, 0], [1, 255]]
    for kind, message in ((np.int32, "32 bits has no fixed"), (np.float32, "floating")):
        with pytest.raises(UserError, match=message):
            decoded(Image.fromarray(np.zeros((2, 2), kind)), "TIFF")


def test_a_transparent_grey_of_sixteen_bits_shows_white():
    data = saved(np.array([[1000, 1001]], np.uint16), "PNG")
    chunk = b"tRNS" + struct.pack(">H", 1000)
    chunk = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
    place = data.find(b"IDAT") - 4
    seen = decode_image(data[:place] + chunk + data[place:], "file")
    assert seen[..., 0].tolist() == [[255, 4]]


def test_palette_with_and_without_transparency():
    image = Image.fromarray(RGB).quantize(24)
    np.testing.assert_array_equal(decoded(image), np.asarray(image.convert("RGB")))
    entry = image.getpixel((0, 0))
    seen = decoded(image, transparency=entry)
    assert (seen[np.asarray(image) == entry] == 255).all()


def test_alpha_shows_white_behind():
    alpha = np.array([[0, 255], [128, 0]], np.uint8)
    colour = np.full((2, 2, 3), (100, 50, 0), np.uint8)
    seen = decoded(np.dstack([colour, alpha]))
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert seen[0, 1].tolist() == [100, 50, 0]
    np.testing.assert_allclose(seen[1, 0], [177, 152, 127], atol=1)
    grey = decoded(Image.fromarray(np.dstack([colour[..., 0], alpha])))  # LA
    np.testing.assert_array_equal(grey[..., 2], seen[..., 0])


def test_cmyk():
    ink = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    np.testing.assert_allclose(decoded(ink, "JPEG")[0, 0], [0, 255, 255], atol=3)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (3, lambda a: a[::-1, ::-1]),
        (6, lambda a: np.rot90(a, -1)),
        (8, lambda a: np.rot90(a)),
        (2, lambda a: a[:, ::-1]),
    ],
)
def test_exif_rotation_is_applied(orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(decoded(RGB, exif=exif), turn(RGB))


def test_colour_profile_is_converted():
    seen = decoded(RGB, icc_profile=exchanging_profile())
    np.testing.assert_allclose(seen, RGB[..., [1, 0, 2]], atol=2)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(decoded(RGB, icc_profile=srgb), RGB)


def test_profile_that_does_not_fit_is_ignored():
    np.testing.assert_array_equal(decoded(RGB, icc_profile=b"nonsense"), RGB)
    grey = decoded(RGB[..., 0], icc_profile=exchanging_profile())
    np.testing.assert_array_equal(grey[..., 0], RGB[..., 0])


def test_first_of_several_frames_is_taken():
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    seen = decoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(seen, RGB)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
def test_damaged_files_are_read_or_rejected(kind):
    data = saved(Image.fromarray(RGB).resize((40, 40)), kind)
    rng = np.random.default_rng(1)
    for _ in range(60):
        broken = bytearray(data[: rng.integers(1, len(data) + 1)])
        for place in rng.integers(0, len(broken), 3):
            broken[place] = rng.integers(256)
        try:
            assert decode_image(bytes(broken), "file").shape[2] == 3
        except UserError as error:
            assert "\n" not in str(error)


def test_errors_name_the_file(tmp_path):
    for name, data, message in (
        ("empty.png", b"", "is empty"),
        ("text.png", b"hello", "not an image"),
        ("cut.png", saved(np.tile(RGB, (50, 50, 1)), "PNG")[:400], "damaged"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(UserError, match=message) as caught:
            read_image(path)
        assert str(path) in str(caught.value)
    for path in (tmp_path / "absent.png", tmp_path, "nul\0l"):
        with pytest.raises(UserError, match="cannot read"):
            read_image(path)


def test_decompression_bombs_are_rejected():
    limit = Image.MAX_IMAGE_PIXELS
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    bomb += struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IDAT"
    with pytest.raises(UserError, match="3600 megapixels; the limit is 100"):
        decode_image(bomb, "bomb")
    assert Image.MAX_IMAGE_PIXELS == limit


def test_the_limit_can_be_above_that_of_pillow(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # raises from twice that on
    np.testing.assert_array_equal(decode_image(saved(RGB, "PNG"), "file"), RGB)


def test_size_limit():
    data = encode_image(RGB, ".png")
    with pytest.raises(UserError, match="file has 2.4e-05 megapixels; the limit is"):
        decode_image(data, "file", max_pixels=23)
    decode_image(data, "file", max_pixels=24)


@pytest.mark.parametrize("extension", [".png", ".PNG", ".webp", ".tiff", ".bmp"])
def test_written_images_read_back(extension):
    np.testing.assert_array_equal(
        decode_image(encode_image(RGB, extension), "file"), RGB
    )


def test_unknown_extensions_are_rejected():
    for extension in ("", ".xyz", ".dlf"):
        with pytest.raises(UserError, match=r"use one of \.png"):
            encode_image(RGB, extension)


def test_images_a_format_cannot_hold_are_rejected():
    with pytest.raises(UserError, match="cannot write WEBP"):
        encode_image(np.zeros((1, 16384, 3), np.uint8), ".webp")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "AVIF"])
def test_errors_contain_no_address_in_memory(kind):
    data = saved(RGB, kind)
    with pytest.raises(UserError, match="is damaged") as caught:
        decode_image(data[:33], "file")
    assert "object at 0x" not in str(caught.value)


def test_a_header_without_pixels_is_named():
    data = bytearray(saved(RGB, "PNG"))
    data[16:20] = bytes(4)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(UserError, match="invalid PNG header"):
        decode_image(bytes(data), "file")
