"""Conversion from any colour space to 8-bit sRGB."""

import dataclasses
import io
from collections.abc import Callable

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageCms

from dlf_jax.data.images import icc, shaper
from dlf_jax.data.images.shaper import Shaper

Converter = Callable[[Shaped[np.ndarray, "H W C"]], UInt8[np.ndarray, "H W 3"]]


@dataclasses.dataclass(frozen=True)
class Profile:
    """ICC profile; ignored if broken or made for another number of channels."""

    data: bytes


@dataclasses.dataclass(frozen=True)
class Lab:
    """CIE L*a*b* under D50: L* = lightness · x, a* and b* = opponent · (x - zero)."""

    lightness: float
    opponent: float
    zero: int


Colour = Shaper | Profile | Lab


def converter(colour: Colour | None, channels: int, top: int) -> Converter | None:
    """Returns a function from samples to 8-bit sRGB; None if they are sRGB already.

    Args:
      colour: colour space; ignored if made for another number of channels.
      channels: 1 for grey, 3 for RGB and Lab, 4 for CMYK.
      top: sample value that represents 1.

    Raises:
      Unsupported: the samples are HDR.
    """
    if isinstance(colour, Lab):
        return _from_lab(colour)
    if isinstance(colour, Profile):
        if icc.channels_of(colour.data) != channels:
            return None
        space = icc.shaper_of(colour.data) if channels < 4 else None
        if space is None or (top == 255 and not space.is_srgb):
            return _from_profile(colour.data, channels, top)
        colour = space
    if colour is None or channels == 4 or colour.is_srgb:
        return None
    return colour.converter(channels, top)


def uncalibrated(channels: int, top: int) -> Converter:
    """Returns a function from sRGB, sRGB grey or uncalibrated CMYK to 8-bit sRGB."""
    table = _rounding(top)
    if channels < 4:
        return lambda samples: np.broadcast_to(table[samples], (*samples.shape[:2], 3))

    def from_inks(
        samples: Shaped[np.ndarray, "H W 4"],
    ) -> UInt8[np.ndarray, "H W 3"]:
        paper = 255 - table[samples].astype(np.uint32)
        return np.uint8((paper[..., :3] * paper[..., 3:] + 127) // 255)

    return from_inks


def _rounding(top: int) -> UInt8[np.ndarray, "levels"]:
    """Table from 0..top to 8 bits; rounds to nearest, halves up."""
    return np.uint8((2 * 255 * np.arange(top + 1) + top) // (2 * top))


def _from_profile(profile: bytes, channels: int, top: int) -> Converter | None:
    """Conversion by LittleCMS, which Pillow restricts to 8 bits."""
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[channels]
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    except (ImageCms.PyCMSError, OSError):
        return None
    table = _rounding(top)

    def convert(samples: Shaped[np.ndarray, "H W C"]) -> UInt8[np.ndarray, "H W 3"]:
        band = np.ascontiguousarray(samples if top == 255 else table[samples])
        image = Image.frombytes(mode, band.shape[1::-1], band)
        return np.asarray(ImageCms.applyTransform(image, transform))

    return convert


def _from_lab(lab: Lab) -> Converter:
    matrix = shaper.matrix_to_srgb(np.diag(shaper.D50)).T

    def convert(samples: Shaped[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
        values = samples.astype(np.float32)
        y = (lab.lightness * values[..., 0] + 16) / 116
        opponents = lab.opponent * (values[..., 1:] - lab.zero)
        root = np.stack([y + opponents[..., 0] / 500, y, y - opponents[..., 1] / 200])
        relative = np.where(root > 6 / 29, root**3, (root - 4 / 29) * 3 * (6 / 29) ** 2)
        return shaper.encode(np.moveaxis(relative, 0, -1) @ matrix)

    return convert
