"""Public functions: images to bytes and back."""

import os

import numpy as np

from dlf_jax.codec.container import parse
from dlf_jax.codec.info import FileInfo, file_info
from dlf_jax.entropy_coding.rates import Number
from dlf_jax.limits import DEFAULT_LIMITS, Limits

__all__ = [
    "Limits",
    "compress",
    "decompress",
    "decompress_raw",
    "enable_compile_cache",
    "info",
    "load",
]


def enable_compile_cache() -> None:
    """Keeps compiled programs in the user's cache folder, for later processes.

    The first `compress` or `decompress` of a process compiles for seconds, or loads a
    program that an earlier process has compiled.  The setting is global in jax and
    affects all that the process compiles, so it is off by default.
    `dlf_jax.compile_cache` describes the folder.
    """
    from dlf_jax import compile_cache

    compile_cache.enable_compile_cache()


def load(
    name_or_dir: str | os.PathLike = "dlf-nano", limits: Limits = DEFAULT_LIMITS
) -> "dlf_jax.codec.codec.Codec":
    """The codec of a bundled model or of a model directory.

    Codecs are cached: loading the same model again costs nothing.

    Args:
      name_or_dir: name of a bundled model, or a model directory.
      limits: most pixels of an image, and most memory that a network may need.

    Raises:
      UserError: there is no such model, or its files are damaged.
    """
    from dlf_jax.codec import catalog

    return catalog.load(os.fspath(name_or_dir), limits)


def compress(
    images: np.ndarray | list[np.ndarray],
    rate: Number | None = None,
    model: str | os.PathLike = "dlf-nano",
    *,
    target_bytes: int | None = None,
    target_bpp: Number | None = None,
    target_psnr: Number | None = None,
    target_lpips: Number | None = None,
    target_dists: Number | None = None,
    raw: bool = False,
) -> bytes | list[bytes]:
    """Compresses one image, or a list of images of any sizes.

    Use at most one of the rate and the targets.  Each image has its own rate then: a
    size gives the best picture that fits into it, a quality the smallest file.

    Args:
      images: uint8 arrays (H, W, 3), RGB.
      rate: 0 for the smallest files, also between whole numbers, in steps of 1/32; the
        model's middle rate if there is no target either.
      model: name of a bundled model, or a model directory.
      target_bytes: most bytes of each file.
      target_bpp: most bits per pixel.
      target_psnr: least PSNR of the decoded image, in dB.
      target_lpips: largest LPIPS-Alex of the decoded image.
      target_dists: largest DISTS of the decoded image.
      raw: leave header and checksum out; targets count what is left.

    Returns:
      The bytes of one file, or a list of them.

    Raises:
      UserError: an argument has the wrong type or value, or no rate keeps to a target.
    """
    targets = {
        "target_bytes": target_bytes,
        "target_bpp": target_bpp,
        "target_psnr": target_psnr,
        "target_lpips": target_lpips,
        "target_dists": target_dists,
    }
    return load(model).compress(images, rate, raw=raw, **targets)


def decompress(
    data: bytes | list[bytes], model: str | os.PathLike | None = None
) -> np.ndarray | list[np.ndarray]:
    """Decompresses one file, or a list of files.

    Args:
      data: bytes of files.
      model: as in `compress`; None takes the bundled model that each file names.

    Returns:
      A uint8 array (H, W, 3), RGB, or a list of them.

    Raises:
      UserError: a file is damaged, or its model is not available.
    """
    from dlf_jax.codec import catalog

    if isinstance(data, list):
        return [decompress(one, model) for one in data]
    file = parse(data)
    codec = catalog.load_for(file) if model is None else load(model)
    return codec.reconstruct(file)


def decompress_raw(
    payload: bytes,
    size: tuple[int, int],
    rate: Number,
    model: str | os.PathLike = "dlf-nano",
) -> np.ndarray:
    """Decompresses what `compress` returns with ``raw=True``.

    There is no checksum: other bytes or arguments usually give a wrong image.

    Args:
      payload: the bytes.
      size: (width, height) of the image, in pixels.
      rate: as given to `compress`.
      model: as given to `compress`.

    Returns:
      A uint8 array (H, W, 3), RGB.

    Raises:
      UserError: an argument has the wrong value, or the bytes cannot be decoded.
    """
    return load(model).decompress_raw(payload, size, rate)


def info(data: bytes) -> FileInfo:
    """Size, rate and model of a file, without decoding it.

    Raises:
      UserError: the bytes are no intact DLF file.
    """
    return file_info(parse(data))
