"""The best file of a codec that is no larger than a number of bytes."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from dlf_jax.errors import UserError
from dlf_jax.evaluation.codecs import ImageCodec
from dlf_jax.metrics.psnr import psnr
from dlf_jax.typing import UInt8

Picture = UInt8[np.ndarray, "H W 3"]

_FINEST = 99  # 100 is lossless in JPEG XL, which the options of a lossy file exclude
# Codecs whose coarsest setting is too large for a budget still code a smaller picture.
_DIVISORS = (1, 2, 4, 8, 16)


def best_within(
    codec: ImageCodec, image: Picture, num_bytes: int
) -> tuple[bytes, Picture]:
    """Spends a number of bytes with a codec as well as possible.

    Tries the image and reduced copies of it, each at the finest setting whose file is
    small enough, and keeps the file with the highest PSNR.

    Args:
      codec: a codec of Pillow, whose settings are numbers from 0 to 100.
      image: the original.
      num_bytes: largest size of the file.

    Returns:
      (file, decoded image, enlarged to the size of the original).

    Raises:
      UserError: even the smallest copy needs more bytes.
    """
    height, width, _ = image.shape
    best, found = -np.inf, None
    for divisor in _DIVISORS:
        size = -(-width // divisor), -(-height // divisor)
        reduced = _resized(image, size)
        data = _finest(lambda q, x=reduced: codec.compress(x, str(q)), num_bytes)
        if data is None:
            continue
        recon = _resized(codec.decompress(data), (width, height))
        quality = float(psnr(image[None], recon[None])[0])
        if quality > best:
            best, found = quality, (data, recon)
    if found is None:
        raise UserError(f"no file is as small as {num_bytes} bytes: allow more bytes")
    return found


def _finest(encode: Callable[[int], bytes], num_bytes: int) -> bytes | None:
    """File of the finest setting of at most `num_bytes`, by bisection."""
    low, high, found = 0, _FINEST, None
    while low <= high:
        middle = (low + high) // 2
        data = encode(middle)
        if len(data) <= num_bytes:
            low, found = middle + 1, data
        else:
            high = middle - 1
    return found


def _resized(
    image: Picture, size: tuple[int, int]
) -> UInt8[np.ndarray, "height width 3"]:
    resized = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(resized)
