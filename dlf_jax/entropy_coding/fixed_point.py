"""Layers in exact integer arithmetic, the same on every machine.

A value v of a map represents v / ONE.  Values are integers within ±LIMIT, carried in
float64: while no partial sum of a layer can reach 2^53, the matrix product is exact in
any order of summation.  A layer's kernel is W / 2^shift with 16-bit integers W; results
are rounded half up to integers and clipped to ±LIMIT.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

FRACTION_BITS = 12
ONE = 1 << FRACTION_BITS
LIMIT = 1 << 24  # so that all values are exact in float32 too

_MAX_KERNEL = (1 << 15) - 1
_MAX_SHIFT = 30
_SLOPE_BITS = 20
_EXACT = 1 << 53

Layer = Mapping[str, np.ndarray]
Map = Float[np.ndarray, "*S C"]


def quantize(params: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Integer weights of floating-point ones.

    Args:
      params: path -> weights; paths ending in "kernel" are multiplied with maps, all
        others are maps or are added to maps.

    Returns:
      Kernels as int16 with one more path in "shift" each, all others as int32.

    Raises:
      ValueError: a weight is too large, or not finite.
    """
    found = {}
    for path, value in params.items():
        value = np.asarray(value, np.float64)
        largest = np.max(np.abs(value), initial=0.0)
        layer, _, name = path.rpartition("/")
        if name == "kernel":
            limit, shift = _MAX_KERNEL, _MAX_SHIFT
            while shift and not largest * 2.0**shift <= limit:
                shift -= 1
            found[f"{layer}/shift"] = np.array(shift, np.int8)
        else:
            limit, shift = LIMIT, FRACTION_BITS
        if not largest * 2.0**shift <= limit:
            raise ValueError(f"{path} does not fit fixed-point numbers: {largest}")
        kind = np.int16 if name == "kernel" else np.int32
        found[path] = np.rint(value * 2.0**shift).astype(kind)
    return found


def dequantize(params: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """float32 weights with the values that the integers of `quantize` represent."""
    found = {}
    for path, value in params.items():
        layer, _, name = path.rpartition("/")
        if name != "shift":
            kernel = name == "kernel"
            shift = int(params[f"{layer}/shift"]) if kernel else FRACTION_BITS
            found[path] = value.astype(np.float32) * np.float32(2.0**-shift)
    return found


def checked(params: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Checks that arithmetic is exact; returns weights in the form of the layers.

    Args:
      params: as from `quantize`, in any type.

    Returns:
      In float64: kernels divided by 2^shift, biases plus the half that rounding adds,
      and all others unchanged.

    Raises:
      ValueError: weights are no integers in range, or a partial sum may be inexact.
    """
    found = {path: np.asarray(value, np.float64) for path, value in params.items()}
    for path, value in found.items():
        layer, _, name = path.rpartition("/")
        limit = {"kernel": _MAX_KERNEL, "shift": _MAX_SHIFT}.get(name, LIMIT)
        if not (np.all(np.abs(value) <= limit) and np.all(value == np.rint(value))):
            raise ValueError(f"{path} holds other numbers than integers up to {limit}")
        if name == "kernel":
            shift = found.get(f"{layer}/shift")
            if shift is None or shift.shape or shift < 0:
                raise ValueError(f"{layer}/shift is no whole number")
            fan_in = tuple(range(value.ndim - 1))
            largest_sum = np.abs(value).sum(axis=fan_in).max(initial=0.0) * LIMIT
            bias = np.abs(found.get(f"{layer}/bias", 0.0)).max(initial=0.0)
            if largest_sum + (bias + 1.0) * 2.0**shift >= _EXACT:
                raise ValueError(f"{path}: sums of its products may not be exact")
    # Division by powers of two keeps sums as exact as sums of the integers.
    kernels = {path: v for path, v in found.items() if path.endswith("/kernel")}
    for path, value in kernels.items():
        found[path] = value * 0.5 ** found.pop(path.removesuffix("kernel") + "shift")
    biases = {path: v + 0.5 for path, v in found.items() if path.endswith("/bias")}
    return found | biases


def saturate(x: Map) -> Map:
    """Clips to ±LIMIT."""
    return np.clip(x, -LIMIT, LIMIT)


def add(x: Map, y: Map) -> Map:
    """The sum, clipped."""
    total = x + y
    return np.clip(total, -LIMIT, LIMIT, out=total)


def dense(layer: Layer, x: Map) -> Float[np.ndarray, "*S D"]:
    """A linear map of the last axis."""
    kernel = layer["kernel"]
    rows = x.reshape(-1, len(kernel)) @ kernel  # one product for all rows
    return _finish(layer, rows.reshape(*x.shape[:-1], -1))


def depthwise_conv(
    layer: Layer, x: Float[np.ndarray, "h w C"]
) -> Float[np.ndarray, "h w C"]:
    """One square filter a channel, zeros beyond the border; kernel (k, k, 1, C)."""
    kernel = layer["kernel"][:, :, 0]
    size = kernel.shape[:2]
    margin = size[0] // 2
    x = np.pad(x, ((margin, margin), (margin, margin), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=(0, 1))
    return _finish(layer, np.einsum("hwcab,abc->hwc", windows, kernel))


def leaky_relu(x: Map, slope: float) -> Map:
    """Negative values times `slope`, rounded to a multiple of 2^-20 and below 1."""
    slope = round(slope * 2**_SLOPE_BITS) / 2**_SLOPE_BITS
    scaled = x * slope
    scaled += 0.5
    return np.maximum(x, np.floor(scaled, out=scaled), out=scaled)


def _finish(layer: Layer, sums: Map) -> Map:
    """Turns sums of products into a map, in place: with bias, rounded, clipped."""
    sums += layer["bias"]
    np.floor(sums, out=sums)
    return np.clip(sums, -LIMIT, LIMIT, out=sums)
