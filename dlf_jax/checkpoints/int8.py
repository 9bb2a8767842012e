"""Kernels in 8 bits: integers, and one scale for every output channel.

Rounding moves a weight by at most 1/254 of its channel's largest weight.  Small
kernels, biases, codebooks and positions keep their type: they save few bytes and matter
more.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from dlf_jax.checkpoints.arrays import LazyArray, in_memory

_KERNEL = "/kernel"
_SCALE = "_scale"
_MIN_SIZE = 4096
_LARGEST = 127


def is_narrowed(path: str, size: int) -> bool:
    """Returns True for a parameter that `narrow` rounds: a kernel of many values."""
    return path.endswith(_KERNEL) and size >= _MIN_SIZE


def narrow(path: str, array: LazyArray) -> dict[str, LazyArray]:
    """The two arrays that represent a kernel.

    Args:
      path: of the kernel.
      array: finite values, output channels last.

    Returns:
      The integers in ±127 under `path`, and their float32 scales of shape
      ``array.shape[-1:]`` under ``path + "_scale"``.
    """
    kernel = array.read().astype(np.float32, copy=False)
    scale = np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0) / _LARGEST
    integers = np.rint(kernel / np.where(scale > 0, scale, 1)).astype(np.int8)
    return in_memory({path: integers, path + _SCALE: scale})


def parts(arrays: Iterable[str]) -> list[str]:
    """Paths of all integers and scales that `narrow` made."""
    scales = [path for path in arrays if path.endswith(_KERNEL + _SCALE)]
    return scales + [path.removesuffix(_SCALE) for path in scales]


def widen(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Restores the kernels that `narrow` rounded; other arrays stay as they are.

    Raises:
      ValueError: scales without a kernel, or not of its output channels.
    """
    widened = dict(arrays)
    for path in [p for p in arrays if p.endswith(_KERNEL + _SCALE)]:
        scale, kernel = widened.pop(path), path.removesuffix(_SCALE)
        if kernel not in arrays or scale.shape != arrays[kernel].shape[-1:]:
            raise ValueError(f"{path} does not belong to a kernel")
        # In place, where possible, to keep the memory aligned for XLA.
        values = arrays[kernel].astype(np.float32, copy=False)
        widened[kernel] = np.multiply(values, scale, out=values)
    return widened
