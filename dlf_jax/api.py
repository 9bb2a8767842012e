"""Public functions: images to bytes and back."""

import os

import numpy as np

from dlf_jax.codec.container import parse
from dlf_jax.codec.info import FileInfo, file_info
from dlf_jax.limits import DEFAULT_LIMITS, Limits

__all__ = ["Limits", "compress", "decompress", "enable_compile_cache", "info", "load"]


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
    rate: int | None = None,
    model: str | os.PathLike = "dlf-nano",
) -> bytes | list[bytes]:
    """Compresses one image, or a list of images of any sizes.

    Args:
      images: uint8 arrays (H, W, 3), RGB.
      rate: rate index, 0 for the smallest files; the model's middle rate if None.
      model: name of a bundled model, or a model directory.

    Returns:
      The bytes of one file, or a list of them.

    Raises:
      UserError: an argument has the wrong type or value.
    """
    return load(model).compress(images, rate)


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


def info(data: bytes) -> FileInfo:
    """Size, rate and model of a file, without decoding it.

    Raises:
      UserError: the bytes are no intact DLF file.
    """
    return file_info(parse(data))
