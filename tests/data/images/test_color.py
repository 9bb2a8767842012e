"""Conversions to sRGB: curves with a matrix, ICC profiles, code points."""

import struct

import numpy as np
import pytest
from PIL import ImageCms

from dlf_jax.data.images import Unsupported, cicp, icc
from dlf_jax.data.images.color import Profile, converter
from dlf_jax.data.images.shaper import D65, REC709, Shaper, matrix_of, power, srgb_curve
from tests.data.images.files import exchanging_profile, squares

SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_srgb_needs_no_conversion():
    assert Shaper((srgb_curve,)).is_srgb
    assert cicp.shaper_of(1, 13).is_srgb
    assert converter(Profile(SRGB_PROFILE), 3, 255) is None
    assert not cicp.shaper_of(12, 13).is_srgb
    assert not Shaper((power(2.2),)).is_srgb


def test_a_profile_that_only_calls_itself_srgb_is_converted():
    convert = converter(Profile(exchanging_profile()), 3, 255)
    np.testing.assert_allclose(convert(squares()), squares()[..., [1, 0, 2]], atol=2)


def test_sixteen_bits_of_a_profile_agree_with_littlecms():
    eight = converter(Profile(exchanging_profile()), 3, 255)(squares())
    deep = converter(Profile(exchanging_profile()), 3, 65535)
    np.testing.assert_allclose(deep(squares().astype(np.uint16) * 257), eight, atol=1)


def test_primaries():
    """Published matrix from Display P3 to sRGB, D65 in both."""
    want = [[1.2249, -0.2249, 0], [-0.0421, 1.0421, 0], [-0.0196, -0.0786, 1.0983]]
    np.testing.assert_allclose(cicp.shaper_of(12, 13).matrix, want, atol=2e-3)
    np.testing.assert_allclose(matrix_of(REC709, D65), np.eye(3), atol=1e-9)
    with pytest.raises(ValueError, match="on one line"):
        matrix_of([(0.3, 0.3)] * 3, D65)


@pytest.mark.parametrize(
    ("transfer", "want"),
    [(1, 0.2597), (4, 0.2176), (5, 0.1436), (8, 0.5), (13, 0.2140), (17, 0.1649)],
)
def test_transfer_functions(transfer, want):
    (curve,) = cicp.shaper_of(1, transfer).curves
    np.testing.assert_allclose(curve(np.array([0, 0.5, 1])), [0, want, 1], atol=2e-4)


def curve_of(body):
    """The curve of a grey profile with this tag."""
    header = bytearray(128)
    header[16:24], header[36:40] = b"GRAYXYZ ", b"acsp"
    table = struct.pack(">I4sII", 1, b"kTRC", 144, len(body))
    (curve,) = icc.shaper_of(bytes(header) + table + body).curves
    return curve(np.array([0.0, 0.02, 0.5, 1.0]))


def fixed(*values):
    return struct.pack(f">{len(values)}i", *(round(65536 * value) for value in values))


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (b"curv" + struct.pack(">4xI", 0), [0, 0.02, 0.5, 1]),
        (b"curv" + struct.pack(">4xIH", 1, 512), [0, 0.0004, 0.25, 1]),
        (b"curv" + struct.pack(">4xI3H", 3, 0, 6554, 65535), [0, 0.004, 0.1, 1]),
        (b"para" + struct.pack(">4xHH", 0, 0) + fixed(2), [0, 0.0004, 0.25, 1]),
        (
            b"para"
            + struct.pack(">4xHH", 3, 0)
            + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
            [0, 0.00155, 0.2140, 1],
        ),
    ],
)
def test_curves_of_profiles(body, want):
    np.testing.assert_allclose(curve_of(body), want, atol=2e-4)


def test_an_hdr_profile_is_rejected():
    body = b"cicp" + bytes(4) + bytes([9, 16, 0, 1])
    header = bytearray(128)
    header[16:24], header[36:40] = b"RGB XYZ ", b"acsp"
    profile = bytes(header) + struct.pack(">I4sII", 1, b"cicp", 144, 12) + body
    with pytest.raises(Unsupported, match="PQ"):
        converter(Profile(profile), 3, 255)


def test_a_profile_of_other_pictures_is_ignored():
    assert converter(Profile(exchanging_profile()), 1, 255) is None
    assert converter(Profile(b"nonsense"), 3, 255) is None
    assert converter(Profile(exchanging_profile()[:300]), 3, 255) is None
