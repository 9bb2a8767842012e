"""Construction of the stored Gaussian tables (docs/architecture.md#gaussian-tables)."""

import math

import numpy as np
from jaxtyping import Float, Int
from scipy.special import erf

_TOTAL = 1 << 16
_SQRT_TWO = np.float32(2**0.5)
_MIN_CENTRE, _MAX_CENTRE = 2, 50
_CENTRE_MASS = np.float32(0.9999)
_SMALLEST_SCALE, _LARGEST_SCALE = 0.11, 64.0


def gaussian_cdfs(
    scale_table: Float[np.ndarray, "rows"],
) -> tuple[
    Int[np.ndarray, "rows values"], Int[np.ndarray, "rows"], Int[np.ndarray, "rows"]
]:
    """Quantised cumulative distributions of zero-mean Gaussians.

    A row covers the integers -c to c, where c is the smallest in 2...50 with
    Φ(c/σ) > 0.9999, and one escape entry with the mass of both tails.

    Args:
      scale_table: standard deviations, float32.

    Returns:
      (cdf, cdf_length, offset) as in `tables.GaussianTables`.
    """
    centres = np.arange(_MIN_CENTRE, _MAX_CENTRE + 1)
    rows, offsets = [], []
    for scale in np.asarray(scale_table, np.float32):
        enough = _normal_cdf(centres, scale) > _CENTRE_MASS
        centre = int(centres[np.argmax(enough)]) if enough.any() else _MAX_CENTRE
        symbols = np.arange(-centre, centre + 1, dtype=np.float32)
        half = np.float32(0.5)
        pmf = _normal_cdf(symbols + half, scale) - _normal_cdf(symbols - half, scale)
        tails = 2 * _normal_cdf(symbols[:1] - half, scale)
        rows.append(_quantize(np.append(pmf, tails)))
        offsets.append(-centre)
    lengths = np.array([len(row) for row in rows], np.int32)
    cdf = np.zeros((len(rows), 2 * _MAX_CENTRE + 3), np.int32)
    for i, row in enumerate(rows):
        cdf[i, : len(row)] = row
    return cdf, lengths, np.array(offsets, np.int32)


def row_starts(num_rows: int = 256) -> Float[np.ndarray, "starts"]:
    """The smallest float32 scale of every row but the first.

    Comparisons with these values replace the rule trunc((ln s - ln 0.11) / step) in
    float32 (docs/architecture.md#table-row-of-a-scale), and give the same row on every
    machine.
    """
    first, last = math.log(_SMALLEST_SCALE), math.log(_LARGEST_SCALE)
    step = np.float32((last - first) / (num_rows - 1))
    rows = np.arange(1, num_rows)
    # Bisects bit patterns, which are ordered like positive float32 values.
    low = np.full(rows.shape, np.float32(_SMALLEST_SCALE / 2).view(np.int32))
    high = np.full(rows.shape, np.float32(_LARGEST_SCALE * 2).view(np.int32))
    while (high - low > 1).any():
        middle = low + (high - low) // 2
        position = (np.log(middle.view(np.float32)) - np.float32(first)) / step
        low = np.where(position < rows, middle, low)
        high = np.where(position < rows, high, middle)
    return high.view(np.float32)


def _normal_cdf(x: np.ndarray, scale: np.float32) -> np.ndarray:
    """Φ(x/σ), every step rounded to float32."""
    inverse = np.float32(1) / scale
    argument = np.asarray(x, np.float32) * inverse / _SQRT_TWO
    return np.float32(0.5) * (np.float32(1) + erf(argument))


def _quantize(pmf: np.ndarray) -> np.ndarray:
    """Cumulative 16-bit counts of probabilities; every count is at least 1."""
    scaled = pmf * np.float32(_TOTAL)
    counts = np.floor(np.floor(scaled + np.float32(0.5)) + 0.5).astype(np.int64)
    counts = counts * _TOTAL // counts.sum()
    cdf = np.concatenate([[0], np.cumsum(counts)])
    cdf[-1] = _TOTAL
    for i in range(len(cdf) - 1):
        if cdf[i] == cdf[i + 1]:
            counts = np.diff(cdf)
            donor = int(np.argmin(np.where(counts > 1, counts, _TOTAL + 1)))
            if donor < i:
                cdf[donor + 1 : i + 1] -= 1
            else:
                cdf[i + 1 : donor + 1] += 1
    return cdf
