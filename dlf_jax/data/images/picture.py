"""Decoded pictures, and their conversion to 8-bit sRGB."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped, UInt8

from dlf_jax.data.images import color

_BAND = 2**18  # pixels converted at a time


@dataclasses.dataclass
class Picture:
    """Decoded picture in its stored colour space and orientation.

    Attributes:
      samples: H W C without alpha; uint8 if `top` is below 256, uint16 otherwise.  C is
        1 (grey), 3 (RGB or Lab) or 4 (CMYK, where `top` is full ink).
      top: sample value that represents 1.
      alpha: H W, 0 to `top`, not premultiplied; None if opaque.
      colour: colour space; None for sRGB, sRGB grey and uncalibrated CMYK.
      orientation: EXIF orientation, 1 to 8.
    """

    samples: Shaped[np.ndarray, "H W C"]
    top: int = 255
    alpha: Shaped[np.ndarray, "H W"] | None = None
    colour: color.Colour | None = None
    orientation: int = 1

    def unpremultiplied(self) -> "Picture":
        """Returns the picture with premultiplied samples divided by alpha."""
        samples = np.empty_like(self.samples)
        for rows in bands(*samples.shape[:2]):
            alpha = np.maximum(self.alpha[rows], 1).astype(np.uint64)[..., None]
            scaled = self.samples[rows].astype(np.uint64) * self.top
            whole = (scaled + alpha // 2) // alpha
            samples[rows] = np.minimum(whole, self.top)
        return dataclasses.replace(self, samples=samples)


def render(picture: Picture) -> UInt8[np.ndarray, "h w 3"]:
    """Converts a picture to upright 8-bit sRGB on a white background.

    Raises:
      Unsupported: the colour space cannot be converted, such as HDR.
    """
    image = _in_srgb(picture)
    if picture.alpha is not None:
        _composite_on_white(image, picture.alpha, picture.top)
    return np.ascontiguousarray(_upright(image, picture.orientation))


def _in_srgb(picture: Picture) -> UInt8[np.ndarray, "H W 3"]:
    samples, channels = picture.samples, picture.samples.shape[2]
    convert = color.converter(picture.colour, channels, picture.top)
    if convert is None and channels == 3 and picture.top == 255:
        return np.array(samples, np.uint8)
    convert = convert or color.uncalibrated(channels, picture.top)
    image = np.empty((*samples.shape[:2], 3), np.uint8)
    for rows in bands(*samples.shape[:2]):
        image[rows] = convert(samples[rows])
    return image


def bands(height: int, width: int) -> Iterator[slice]:
    """Yields slices of rows, to process large pictures with little memory."""
    step = max(1, _BAND // width)
    for first in range(0, height, step):
        yield slice(first, first + step)


def _composite_on_white(
    image: UInt8[np.ndarray, "H W 3"], alpha: Shaped[np.ndarray, "H W"], top: int
) -> None:
    for rows in bands(*alpha.shape):
        clear = top - alpha[rows].astype(np.uint32)[..., None]
        image[rows] = (image[rows] * (top - clear) + 255 * clear + top // 2) // top


def _upright(
    image: UInt8[np.ndarray, "H W 3"], orientation: int
) -> UInt8[np.ndarray, "h w 3"]:
    """Applies an EXIF orientation; 5 to 8 exchange rows and columns."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image
