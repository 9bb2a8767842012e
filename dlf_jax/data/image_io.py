"""Reading and writing of image files as 8-bit sRGB."""

import io
import os
from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from dlf_jax.data.formats import format_of
from dlf_jax.data.images import (
    Unsupported,
    bmp,
    gif,
    heif,
    jpeg,
    jpeg2000,
    jxl,
    png,
    pnm,
    tiff,
    webp,
)
from dlf_jax.data.images.picture import Picture, render
from dlf_jax.data.images.pillow import Check
from dlf_jax.errors import UserError
from dlf_jax.files import read_file, reason
from dlf_jax.limits import DEFAULT_LIMITS

_FORMATS = {
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"lossless": True}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".bmp": ("BMP", {}),
    ".ppm": ("PPM", {}),
}
_READERS: dict[str, Callable[[bytes, Check], Picture]] = {
    "AVIF": heif.read_avif,
    "BMP": bmp.read,
    "GIF": gif.read,
    "HEIF": heif.read_heic,
    "JPEG": jpeg.read,
    "JPEG2000": jpeg2000.read,
    "JXL": jxl.read,
    "PNG": png.read,
    "PNM": pnm.read,
    "TIFF": tiff.read,
    "WEBP": webp.read,
}
_REJECTED = {
    "FLOAT": "has floating-point samples without a fixed range: convert it to PNG",
    "RAW": "is a camera's RAW file: develop it to JPEG, PNG or TIFF",
}


def read_image(path: str | os.PathLike) -> UInt8[np.ndarray, "H W 3"]:
    """Reads an image file as a colour-managed viewer would show it.

    The result is upright and converted to sRGB from the colour space of the file (ICC,
    CICP, gamma and primaries, Adobe RGB in EXIF).  Transparent pixels become white,
    samples of more than 8 bits are rounded, and only the first frame is read.

    Raises:
      UserError: the file cannot be read, is not an image, exceeds the size limit, or
        cannot be converted to sRGB, such as HDR, camera RAW or floating point.
    """
    return decode_image(read_file(path), str(path))


def decode_image(
    data: bytes, name: str, max_pixels: int = DEFAULT_LIMITS.pixels
) -> UInt8[np.ndarray, "H W 3"]:
    """`read_image` for the bytes of a file; `name` appears in error messages."""
    if not data:
        raise UserError(f"{name} is empty: an image is needed")
    kind = format_of(data)
    if kind in _REJECTED:
        raise UserError(f"{name} {_REJECTED[kind]}")
    if kind not in _READERS:
        raise UserError(f"{name} is not an image that can be read: convert it to PNG")

    def check(width: int, height: int) -> None:
        if width * height > max_pixels:
            raise UserError(
                f"{name} has {_millions(width * height)} megapixels; the limit is "
                f"{_millions(max_pixels)}: use a smaller image or a higher limit"
            )

    try:
        return render(_READERS[kind](data, check))
    except (MemoryError, UserError):
        raise
    except Unsupported as error:
        raise UserError(f"{name} {error}") from error
    except Exception as error:  # damaged files make decoders raise anything
        raise UserError(
            f"{name} is damaged or not supported ({reason(error)}): copy it again, or "
            "convert it to PNG"
        ) from error


def encode_image(image: UInt8[np.ndarray, "H W 3"], extension: str) -> bytes:
    """Encodes an image in the format of an extension such as ``.png``.

    Raises:
      UserError: the extension is unknown, or the format cannot hold the image.
    """
    check_extension(extension)
    kind, options = _FORMATS[extension.lower()]
    buffer = io.BytesIO()
    try:
        Image.fromarray(image).save(buffer, kind, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {kind}: {reason(error)}") from error
    return buffer.getvalue()


def check_extension(extension: str) -> None:
    """Checks that images can be written with this extension; raises UserError."""
    if extension.lower() not in _FORMATS:
        raise UserError(
            f"cannot write images as '{extension}': use one of {', '.join(_FORMATS)}"
        )


def _millions(number: int) -> str:
    return f"{number / 1e6:.0f}" if number > 1e7 else f"{number / 1e6:.2g}"
