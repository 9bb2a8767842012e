"""TIFF: common sample layouts are read, all others are rejected."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dlf_jax.data.image_io import decode_image
from dlf_jax.errors import UserError
from tests.data.images.files import exchanging_profile, saved, squares

COLUMNS, ROWS = np.meshgrid(np.arange(12), np.arange(8))
RGB = np.stack([COLUMNS * 23, ROWS * 36, COLUMNS * 0 + 77], -1)
GREY = np.repeat(RGB[..., :1], 3, -1)
_SHORT, _LONG = 3, 4


def tiff(
    segments, height, width, samples, bits, photometric, order="<", big=False, **tags
):
    """A TIFF file of compressed strips or tiles; and fields by tag, as t339."""
    fields = {256: [width], 257: [height], 258: [bits] * samples, 259: [1]}
    fields |= {262: [photometric], 277: [samples]}
    fields |= {int(tag[1:]): list(values) for tag, values in tags.items()}
    where, sizes = (324, 325) if 322 in fields else (273, 279)
    head, word, step = (16, "Q", 20) if big else (8, "I", 12)
    offsets = head + np.cumsum([0] + [len(s) for s in segments])
    fields |= {where: offsets[:-1], sizes: [len(s) for s in segments]}
    start = int(offsets[-1])
    tail = start + (8 if big else 2) + step * len(fields) + (8 if big else 4)
    entries, values = b"", b""
    for tag, numbers in sorted(fields.items()):
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        entries += struct.pack(f"{order}HH{word}", tag, _LONG, len(numbers))
        if len(packed) > struct.calcsize(word):
            entries += struct.pack(order + word, tail + len(values))
            values += packed
        else:
            entries += packed.ljust(struct.calcsize(word), b"\0")
    mark = b"II" if order == "<" else b"MM"
    header = struct.pack(f"{order}HHHQ", 43, 8, 0, start) if big else b""
    header = mark + (header or struct.pack(f"{order}HI", 42, start))
    count = struct.pack(order + ("Q" if big else "H"), len(fields))
    return (
        header + b"".join(segments) + count + entries + bytes(8 if big else 4) + values
    )


def shown(*args, **options):
    return decode_image(tiff(*args, **options), "file")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("kind", ["grey", "inverse", "rgb", "rgba", "cmyk"])
def test_layouts(bits, order, big, apart, tiled, compression, kind):
    whole = 2**bits - 1
    rgb = RGB * (whole // 255)
    opaque = np.full_like(rgb[..., :1], whole)
    samples, photometric = {
        "grey": (rgb[..., :1], 1),
        "inverse": (whole - rgb[..., :1], 0),
        "rgb": (rgb, 2),
        "rgba": (np.concatenate([rgb, opaque], -1), 2),
        "cmyk": (np.concatenate([whole - rgb, opaque * 0], -1), 5),
    }[kind]
    samples = samples.astype(f"{order}u{bits // 8}")
    tags = {"t284": [2 if apart else 1], "t259": [compression]}
    if kind == "rgba":
        tags["t338"] = [2]
    planes = np.moveaxis(samples, -1, 0)[..., None] if apart else [samples]
    if tiled:
        tags |= {"t322": [16], "t323": [16]}
        pad = [(0, 8), (0, 4), (0, 0)]
        parts = [np.pad(plane, pad) for plane in planes]
    else:
        tags["t278"] = [3]
        parts = [plane[i : i + 3] for plane in planes for i in (0, 3, 6)]
    if compression == 8:
        parts = [zlib.compress(part.tobytes()) for part in parts]
    else:
        parts = [part.tobytes() for part in parts]
    seen = shown(parts, 8, 12, samples.shape[2], bits, photometric, order, big, **tags)
    want = GREY if kind in ("grey", "inverse") else RGB
    np.testing.assert_array_equal(seen, want)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_compressions_of_bytes(compression):
    image = Image.fromarray(squares())
    for options in ({}, {"strip_size": 640}):
        data = saved(image, "TIFF", compression=compression, **options)
        np.testing.assert_array_equal(decode_image(data, "file"), squares())


@pytest.mark.parametrize("order", ["<", ">"])
def test_differences_from_the_left(order):
    """Differences wrap around, per channel, and restart at the left edge of a tile."""
    values = np.random.default_rng(0).integers(0, 65536, (8, 16, 3), np.uint16)
    left = np.concatenate([np.zeros_like(values[:, :1]), values[:, :-1]], 1)
    data = zlib.compress((values - left).astype(f"{order}u2").tobytes())
    want = (values.astype(int) + 128) // 257
    seen = shown([data], 8, 16, 3, 16, 2, order, t259=[8], t317=[2])
    np.testing.assert_array_equal(seen, want)
    tiles = {"t322": [16], "t323": [8], "t259": [8], "t317": [2]}
    two = shown([data, data], 8, 32, 3, 16, 2, order, **tiles)
    np.testing.assert_array_equal(two, np.concatenate([want, want], 1))


@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12, 14])
@pytest.mark.parametrize("samples", [1, 3])
def test_samples_of_odd_depths(bits, samples):
    rng, top = np.random.default_rng(bits), 2**bits - 1
    values = rng.integers(0, top + 1, (5, 7, samples))
    digits = (values[..., None] >> np.arange(bits)[::-1] & 1).astype(np.uint8)
    rows = np.packbits(digits.reshape(5, -1), axis=1).tobytes()
    seen = shown([rows], 5, 7, samples, bits, 2 if samples == 3 else 1)
    want = np.floor(255 * values / top + 0.5)
    np.testing.assert_array_equal(seen, np.broadcast_to(want, (5, 7, 3)))


def test_palettes_of_sixteen_and_of_eight_bits():
    palette = np.zeros((3, 4), int)
    palette[:, 1], palette[:, 2] = (65535, 257 * 100, 0), (0, 0, 257 * 7)
    want = [[[0, 0, 0], [255, 100, 0], [0, 0, 7], [0, 0, 0]]]
    for scale in (1, 257):
        colours = (palette // scale).ravel()
        seen = shown([b"\x1b"], 1, 4, 1, 2, 3, t320=colours)
        assert seen.tolist() == want


def test_alpha_of_both_kinds_and_samples_that_are_none():
    pixel = bytes([100, 50, 0, 128])
    straight = shown([pixel], 1, 1, 4, 8, 2, t338=[2])
    np.testing.assert_allclose(straight, [[[177, 152, 127]]], atol=1)
    multiplied = shown([pixel], 1, 1, 4, 8, 2, t338=[1])
    np.testing.assert_allclose(multiplied, [[[227, 177, 127]]], atol=1)
    assert shown([pixel], 1, 1, 4, 8, 2, t338=[0]).tolist() == [[[100, 50, 0]]]
    both = shown([bytes([100, 50, 0, 9, 0])], 1, 1, 5, 8, 2, t338=[0, 2])
    assert both.tolist() == [[[255] * 3]]


def test_lab_of_both_kinds():
    """L* 50 is 119 in sRGB; a* 60 there is a pink, by hand with Lindbloom's matrix."""
    for photometric, neutral, pixels in (
        (8, 0, [(128, 0, 0), (128, 60, 0)]),
        (9, 128, [(128, 128, 128), (128, 188, 128)]),
    ):
        data = bytes(np.ravel(pixels).tolist())
        assert pixels[0][1] == neutral
        seen = shown([data], 1, 2, 3, 8, photometric)[0]
        np.testing.assert_allclose(seen, [[119] * 3, [206, 63, 122]], atol=1)
    deep = struct.pack("<3H", 0x8080, 0, 0)
    np.testing.assert_allclose(shown([deep], 1, 1, 3, 16, 8), [[[119] * 3]], atol=1)


def test_colour_differences_of_lower_resolution():
    """Two by two pixels of luma share a pair; the last unit reaches beyond the edge."""
    units = bytes([76, 76, 76, 76, 85, 255, 29, 29, 29, 29, 255, 107])
    seen = shown([units], 2, 3, 3, 8, 6, t530=[2, 2])
    red, blue = [254, 0, 0], [0, 0, 254]
    np.testing.assert_allclose(seen, [[red, red, blue]] * 2, atol=1)


@pytest.mark.parametrize("compression", ["jpeg", "group3", "group4"])
def test_compressions_of_pictures(compression):
    image = Image.fromarray(squares())
    if compression != "jpeg":
        image = image.convert("1")
    options = {"quality": 98} if compression == "jpeg" else {}
    data = saved(image, "TIFF", compression=compression, **options)
    seen, want = decode_image(data, "file"), np.asarray(image.convert("RGB"))
    assert abs(seen.astype(int) - want).mean() < (3 if compression == "jpeg" else 1e-9)


def test_profile_and_orientation():
    data = saved(squares(), "TIFF", icc_profile=exchanging_profile())
    seen = decode_image(data, "file")
    np.testing.assert_allclose(seen, squares()[..., [1, 0, 2]], atol=2)
    pixels = bytes([1, 2, 3, 4, 5, 6])
    for orientation, want in enumerate(
        (
            [[1, 4]],
            [[4, 1]],
            [[4, 1]],
            [[1, 4]],
            [[1], [4]],
            [[1], [4]],
            [[4], [1]],
            [[4], [1]],
        ),
        1,
    ):
        seen = shown([pixels], 1, 2, 3, 8, 2, t274=[orientation])
        assert seen[..., 0].tolist() == want, orientation


@pytest.mark.parametrize(
    ("bits", "samples", "photometric", "tags", "message"),
    [
        (16, 1, 1, {"t339": [2]}, "signed samples without a fixed range"),
        (32, 1, 1, {}, "32 bits has no fixed"),
        (32, 3, 2, {"t339": [3] * 3}, "floating-point"),
        (16, 1, 1, {"t339": [3]}, "floating-point"),
        (8, 1, 32803, {}, "RAW"),
        (8, 3, 2, {"t50706": [0x104]}, "RAW"),
        (8, 3, 2, {"t254": [1], "t330": [8]}, "RAW"),
        (8, 3, 10, {}, "photometric interpretation 10"),
        (8, 4, 5, {"t332": [2]}, "inks that are not CMYK"),
        (8, 3, 2, {"t259": [34887]}, "compression 34887"),
        (12, 1, 1, {"t259": [7]}, "compression 7"),
        (8, 2, 2, {}, "2 samples"),
        (8, 3, 2, {"t278": [1]}, "strips or tiles are missing"),
        (12, 1, 1, {"t259": [5], "t317": [2]}, "predictor 2 for 12 bits"),
        (8, 3, 6, {"t532": [15, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1]}, "YCbCr"),
    ],
)
def test_other_files_are_rejected(bits, samples, photometric, tags, message):
    data = tiff([bytes(256)], 4, 4, samples, bits, photometric, **tags)
    with pytest.raises(UserError, match=message):
        decode_image(data, "file")


def test_limit_and_missing_bytes():
    with pytest.raises(UserError, match="3600 megapixels"):
        shown([b"x"], 60_000, 60_000, 3, 8, 2)
    with pytest.raises(UserError, match="damaged"):
        shown([bytes(20)], 8, 12, 3, 8, 2)
