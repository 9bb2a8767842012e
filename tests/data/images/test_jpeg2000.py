"""JPEG 2000 of every depth and colour space."""

import struct

import numpy as np
import openjpeg
import pytest

from dlf_jax.data.image_io import decode_image
from dlf_jax.errors import UserError
from tests.data.images.files import box, exchanging_profile, saved, squares

SRGB = box(b"colr", b"\1\0\0" + struct.pack(">I", 16))
SIDE = 64


def codestream(samples, bits):
    return openjpeg.encode(np.ascontiguousarray(samples), bits_stored=bits)


def jp2(code, *header):
    """JP2 file of a codestream, with the given boxes in the header."""
    jp2h = box(b"jp2h", box(b"ihdr", bytes(14)) + b"".join(header))
    return (
        box(b"jP  ", b"\r\n\x87\n")
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + jp2h
        + box(b"jp2c", code)
    )


def ramp(channels, bits):
    top = 2**bits - 1
    values = np.random.default_rng(bits).integers(0, top + 1, (SIDE, SIDE, channels))
    values[0, 0], values[0, 1] = 0, top
    return values, np.floor(255 * values / top + 0.5)


@pytest.mark.parametrize("bits", range(1, 17))
def test_every_depth(bits):
    kind = np.uint8 if bits <= 8 else np.uint16
    values, want = ramp(3, bits)
    if bits > 1:  # OpenJPEG does not write three bitmaps
        code = codestream(values.astype(kind), bits)
        for data in (code, jp2(code, SRGB)):
            np.testing.assert_array_equal(decode_image(data, "file"), want)
    grey = codestream(values[..., 0].astype(kind), bits)
    seen = decode_image(grey, "file")
    np.testing.assert_array_equal(seen, np.repeat(want[..., :1], 3, -1))


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_signed_samples_begin_at_black(bits):
    values, want = ramp(3, bits)
    signed = (values - 2 ** (bits - 1)).astype(np.int8 if bits == 8 else np.int16)
    seen = decode_image(codestream(signed, bits), "file")
    np.testing.assert_array_equal(seen, want)


def test_alpha_by_channel_definition_and_by_habit():
    values = np.zeros((SIDE, SIDE, 4), np.uint16)
    values[..., 0], values[:32, :, 3] = 4095, 4095
    code = codestream(values, 12)
    first = struct.pack(">H12H", 4, 0, 0, 1, 1, 0, 2, 2, 0, 3, 3, 1, 0)
    for data in (code, jp2(code, SRGB), jp2(code, SRGB, box(b"cdef", first))):
        seen = decode_image(data, "file")
        assert seen[0, 0].tolist() == [255, 0, 0]
        assert seen[63, 0].tolist() == [255, 255, 255]
    unknown = struct.pack(">H12H", 4, 0, 0, 1, 1, 0, 2, 2, 0, 3, 3, 65535, 65535)
    seen = decode_image(jp2(code, SRGB, box(b"cdef", unknown)), "file")
    assert seen[63, 0].tolist() == [255, 0, 0]


def test_channels_in_another_order():
    values, want = ramp(3, 8)
    order = struct.pack(">H9H", 3, 0, 0, 3, 1, 0, 2, 2, 0, 1)  # blue, green, red
    data = jp2(codestream(values.astype(np.uint8), 8), SRGB, box(b"cdef", order))
    np.testing.assert_array_equal(decode_image(data, "file"), want[..., ::-1])


def test_palette():
    entries = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE) % 3
    colours = bytes([255, 0, 0, 0, 128, 0, 1, 2, 3])
    palette = box(b"pclr", struct.pack(">HB", 3, 3) + bytes([7, 7, 7]) + colours)
    mapping = box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, i) for i in range(3)))
    data = jp2(codestream(entries, 8), SRGB, palette, mapping)
    seen = decode_image(data, "file")
    assert seen[0, :3].tolist() == [[255, 0, 0], [0, 128, 0], [1, 2, 3]]


def test_colour_differences_of_lower_resolution():
    """One packet for each component, which Pillow writes for each alone."""
    planes = [np.full((SIDE, SIDE), 76, np.uint8)]
    planes += [np.full((SIDE // 2, SIDE // 2), v, np.uint8) for v in (85, 255)]
    alone = [
        saved(p, "JPEG2000", num_resolutions=1, no_jp2=True, irreversible=False)
        for p in planes
    ]
    packets = [c[c.find(b"\xff\x93") + 2 : -2] for c in alone]
    siz, sot = alone[0].find(b"\xff\x51"), alone[0].find(b"\xff\x90")
    rest = siz + 2 + struct.unpack_from(">H", alone[0], siz + 2)[0]
    components = bytes([7, 1, 1, 7, 2, 2, 7, 2, 2])
    size = struct.pack(">H", 38 + 9) + alone[0][siz + 4 : siz + 38]
    head = b"\xff\x4f\xff\x51" + size + struct.pack(">H", 3) + components
    packet = b"".join(packets)
    tile = b"\xff\x90\0\x0a\0\0" + struct.pack(">IBB", 14 + len(packet), 0, 1)
    code = head + alone[0][rest:sot] + tile + b"\xff\x93" + packet + b"\xff\xd9"
    sycc = box(b"colr", b"\1\0\0" + struct.pack(">I", 18))
    for data in (code, jp2(code, sycc)):
        seen = decode_image(data, "file")
        assert seen.shape == (SIDE, SIDE, 3)
        np.testing.assert_allclose(
            seen, np.broadcast_to([254, 0, 0], seen.shape), atol=1
        )


def test_luma_and_differences_of_equal_resolution():
    flat = np.broadcast_to(np.array([76, 85, 255], np.uint8), (SIDE, SIDE, 3))
    sycc = box(b"colr", b"\1\0\0" + struct.pack(">I", 18))
    seen = decode_image(jp2(codestream(flat, 8), sycc), "file")
    np.testing.assert_allclose(seen, np.broadcast_to([254, 1, 0], seen.shape), atol=1)


def test_profile():
    code = codestream(squares(), 8)
    for method in (2, 3):
        colour = box(b"colr", bytes([method, 0, 0]) + exchanging_profile())
        seen = decode_image(jp2(code, colour), "file")
        np.testing.assert_allclose(seen, squares()[..., [1, 0, 2]], atol=2)


def test_unknown_colour_and_unequal_depths_are_rejected():
    code = codestream(squares(), 8)
    lab = box(b"colr", b"\1\0\0" + struct.pack(">I", 14))
    with pytest.raises(UserError, match="no supported colour space"):
        decode_image(jp2(code, lab), "file")
    unequal = bytearray(code)
    unequal[42] = 9
    with pytest.raises(UserError, match="components of different depths"):
        decode_image(bytes(unequal), "file")
    with pytest.raises(UserError, match="limit is 0"):
        decode_image(code, "file", max_pixels=64 * 64 - 1)
