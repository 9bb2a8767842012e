"""Unpacking of samples of any number of bits."""

import numpy as np
from jaxtyping import Shaped, UInt8

from dlf_jax.data.images.picture import bands


def unpacked(
    rows: UInt8[np.ndarray, "H bytes"], bits: int, count: int, order: str
) -> Shaped[np.ndarray, "H {count}"]:
    """Unpacks samples of 1 to 16 bits from rows of bytes.

    Args:
      rows: rows of samples, padded to whole bytes.
      bits: bits per sample, most significant first; 16-bit samples follow `order`.
      count: samples per row.
      order: byte order of 16-bit samples, "<" or ">".
    """
    if bits == 8:
        return rows[:, :count]
    if bits == 16:
        samples = np.ascontiguousarray(rows[:, : 2 * count]).view(f"{order}u2")
        return samples.astype(np.uint16, copy=False)
    samples = np.empty((len(rows), count), np.uint8 if bits < 8 else np.uint16)
    for band in bands(len(rows), count):
        digits = np.unpackbits(rows[band], axis=1, count=count * bits)
        digits = digits.reshape(-1, count, bits)
        value = digits[..., 0].astype(samples.dtype)
        for i in range(1, bits):
            value = value << 1 | digits[..., i]
        samples[band] = value
    return samples


def undo_prediction(
    samples: Shaped[np.ndarray, "H across W C"],
) -> Shaped[np.ndarray, "H across W C"]:
    """Undoes horizontal prediction; sums wrap around."""
    return np.cumsum(samples, axis=2, dtype=samples.dtype)
