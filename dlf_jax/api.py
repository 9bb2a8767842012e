"""The functions of the package: images to bytes and back."""

import os

import numpy as np

from dlf_jax.codec.info import FileInfo, file_info
from dlf_jax.limits import DEFAULT_LIMITS, Limits

__all__ = ["Limits", "compress", "decompress", "enable_compile_cache", "info", "load"]


def enable_compile_cache() -> None:
    """Keeps compiled programs in the user's cache folder, for later processes.

    The first call of `compress` or `decompress` in a process compiles for seconds, and
    loads instead where an earlier process has kept the program.  The setting is one of
    jax and counts for all that this process compiles, hence it is not on by itself.
    `dlf_jax.compile_cache` says which folder it is.
    """
    from dlf_jax import compile_cache

    compile_cache.enable_compile_cache()


def load(
    name_or_dir: str | os.PathLike = "dlf-nano", limits: Limits = DEFAULT_LIMITS
) -> "dlf_jax.codec.codec.Codec":
    """The codec of a bundled model or of a model directory.

    It is kept: loading the same model again costs nothing.

    Args:
      name_or_dir: which model.
      limits: pixels and memory beyond which it refuses images.

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
      UserError: the arguments are not as described.
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
      UserError: a file is damaged, or was written with a model that is not there.
    """
    from dlf_jax.codec import catalog

    if isinstance(data, list):
        return [decompress(one, model) for one in data]
    codec = catalog.load_for(data) if model is None else load(model)
    return codec.decompress(data)


def info(data: bytes) -> FileInfo:
    """Size, rate and model of a file, without decoding it.

    Raises:
      UserError: it is no intact DLF file.
    """
    return file_info(data)
