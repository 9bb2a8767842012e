"""Image files to and from 8-bit RGB."""

import contextlib
import io
import os
import threading
import warnings
from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms, ImageOps

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
# Profiles whose conversion would only add rounding errors.
_SRGB_NAMES = ("sRGB", "sRGB built-in", "sRGB IEC61966-2.1")
_BITS_PER_SAMPLE = 258  # tag of TIFF
_opening = threading.Lock()


def read_image(path: str | os.PathLike) -> UInt8[np.ndarray, "H W 3"]:
    """Reads an image file as people see it.

    The EXIF rotation is applied, an embedded colour profile is converted to sRGB,
    transparent parts show white, 12- and 16-bit values become 8-bit ones, and of
    several frames the first is taken.

    Raises:
      UserError: the file cannot be read, is no image, or is larger than the limit.
    """
    return decode_image(read_file(path), str(path))


def decode_image(
    data: bytes, name: str, max_pixels: int = DEFAULT_LIMITS.pixels
) -> UInt8[np.ndarray, "H W 3"]:
    """`read_image` of bytes; `name` is what error messages call them."""
    if not data:
        raise UserError(f"{name} is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # broken metadata do no harm
            with _without_limit():
                image = Image.open(io.BytesIO(data))
            with image:
                pixels = image.width * image.height
                if pixels <= max_pixels:
                    return np.array(_to_rgb(image))
    except Image.UnidentifiedImageError as error:
        raise UserError(f"{name} is not an image that can be read") from error
    except MemoryError:
        raise
    except Exception as error:  # a file can break any decoder in its way
        raise UserError(
            f"{name} is damaged or not supported: {reason(error)}"
        ) from error
    raise UserError(
        f"{name} has {pixels / 1e6:.0f} megapixels; the limit is {max_pixels / 1e6:.0f}"
    )


def encode_image(image: UInt8[np.ndarray, "H W 3"], extension: str) -> bytes:
    """Bytes of an image file, in the format of an extension such as ``.png``.

    Raises:
      UserError: no format has this extension, or it cannot hold the image.
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
    """Raises UserError unless images can be written with this extension."""
    if extension.lower() not in _FORMATS:
        raise UserError(
            f"cannot write images as '{extension}': use one of {', '.join(_FORMATS)}"
        )


@contextlib.contextmanager
def _without_limit() -> Iterator[None]:
    """Opens images of any size; Pillow's limit is one of the whole process."""
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))[0]
    image = _to_eight_bits(ImageOps.exif_transpose(image), bits)
    alpha = None
    if image.has_transparency_data:
        if image.mode not in ("LA", "RGBA"):
            image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert(image.mode[:-1])
    elif image.mode not in ("L", "RGB", "CMYK", "LAB"):
        image = image.convert("RGB")
    if profile:
        image = _to_srgb(image, profile)
    image = image.convert("RGB")
    if alpha is None:
        return image
    return Image.composite(image, Image.new("RGB", image.size, "white"), alpha)


def _to_eight_bits(image: Image.Image, bits: int) -> Image.Image:
    """Greyscale of so many bits, which Pillow would clip, to 8; others as they are."""
    if image.mode == "F":
        raise ValueError("floating-point images have no fixed range")
    if not image.mode.startswith("I"):
        return image
    if bits > 16:
        raise ValueError(f"greyscale of {bits} bits has no fixed range")
    values, most = np.asarray(image).astype(np.int64), 2**bits - 1
    grey = (255 * np.clip(values, 0, most) + most // 2) // most
    narrow = Image.fromarray(np.uint8(grey))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        narrow.putalpha(Image.fromarray(np.uint8(255 * (values != transparent))))
    return narrow


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Converts from an embedded profile; one that does not fit is ignored."""
    with contextlib.suppress(ImageCms.PyCMSError, OSError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if ImageCms.getProfileDescription(source).strip() not in _SRGB_NAMES:
            return ImageCms.profileToProfile(
                image,
                source,
                ImageCms.createProfile("sRGB"),
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
            )
    return image
