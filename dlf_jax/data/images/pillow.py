"""Pixels from Pillow, for files stripped of all metadata."""

import contextlib
import io
import threading
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Shaped
from PIL import Image, UnidentifiedImageError

from dlf_jax.data.images.picture import Picture

Check = Callable[
    [int, int], None
]  # of width and height; raises if the image is too large

_opening = threading.Lock()


@contextlib.contextmanager
def opened(data: bytes, kind: str, check: Check) -> Iterator[Image.Image]:
    """Opens a file in one of Pillow's formats, of any size that `check` accepts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # broken metadata are harmless
        with _without_limit():
            try:
                image = Image.open(io.BytesIO(data), formats=[kind])
            except UnidentifiedImageError:  # its text is an address in memory
                raise ValueError(f"invalid {kind} header") from None
        with image:
            check(image.width, image.height)
            yield image


def eight_bits(image: Image.Image) -> Picture:
    """Picture of an image of at most 8 bits, with palette and alpha resolved.

    Raises:
      ValueError: the image has more bits.
    """
    if image.has_transparency_data:
        grey = image.mode == "LA"
        pixels = np.asarray(image if grey else image.convert("RGBA"))
        return Picture(pixels[..., :-1], alpha=pixels[..., -1])
    if image.mode in ("1", "La", "LA"):
        image = image.convert("L")
    elif image.mode in ("P", "PA", "RGBX", "RGBa", "RGBA", "YCbCr", "HSV"):
        image = image.convert("RGB")
    if image.mode not in ("L", "RGB", "CMYK"):
        raise ValueError(f"pixels of Pillow's mode {image.mode} are not supported")
    return Picture(planes(image))


def planes(image: Image.Image) -> Shaped[np.ndarray, "H W C"]:
    """Samples of an image; greyscale has one channel, bitmaps have values 0 and 1."""
    bitmap = image.mode == "1"
    pixels = np.asarray(image.convert("L")) // 255 if bitmap else np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


@contextlib.contextmanager
def _without_limit() -> Iterator[None]:
    """Disables Pillow's size limit, a global of the process, under a lock."""
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
