"""Integer probabilities of the entropy coders.

The Gaussian tables are data: they depend on the float32 rounding of the machine that
made them, so neither side of a transmission ever recomputes them (`gaussian_cdfs.py`
documents their origin and a test repeats it).
"""

import dataclasses
import functools
import hashlib
import importlib.resources
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

TOTAL = 1 << 16  # sum of the counts of a distribution
_FILE = "gaussian_tables.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class Distribution:
    """Probabilities of consecutive integers and, optionally, of all others together.

    Attributes:
      cdf: cumulative counts from 0 to `TOTAL`, strictly ascending; one interval per
        integer.
      offset: the integer of the first interval.
      escape: the last interval represents every integer without its own.
    """

    cdf: Int[np.ndarray, "N"]
    offset: int = 0
    escape: bool = False

    @property
    def frequencies(self) -> Int[np.ndarray, "M"]:
        """Counts of the intervals; they are positive and add up to `TOTAL`."""
        return np.diff(self.cdf)

    @property
    def size(self) -> int:
        """Number of integers that have an interval of their own."""
        return len(self.cdf) - 1 - self.escape

    @property
    def likeliest(self) -> int:
        """The most frequent integer that has an interval of its own."""
        return self.offset + int(self.frequencies[: self.size].argmax())

    @functools.cached_property
    def bits(self) -> Float[np.ndarray, "M"]:
        """Information of every interval, in bits."""
        return -np.log2(self.frequencies / TOTAL)

    def intervals(self, symbols: Int[np.ndarray, "S"]) -> Int[np.ndarray, "S"]:
        """The interval of each symbol.

        Raises:
          ValueError: a symbol has none.
        """
        return Supports([self]).intervals(symbols, np.zeros(len(symbols), np.int32))


class Supports:
    """Ranges of the integers with their own interval, for several distributions.

    Attributes:
      offsets, sizes, escapes: of the distributions, in arrays.
    """

    def __init__(self, distributions: Sequence[Distribution]):
        self.offsets = np.array([d.offset for d in distributions], np.int32)
        self.sizes = np.array([d.size for d in distributions], np.int32)
        self.escapes = np.array([d.escape for d in distributions], bool)

    def intervals(
        self, symbols: Int[np.ndarray, "S"], rows: Int[np.ndarray, "S"]
    ) -> Int[np.ndarray, "S"]:
        """The interval of each symbol in the distribution of its row.

        Raises:
          ValueError: a symbol has none.
        """
        found, sizes = symbols - self.offsets[rows], self.sizes[rows]
        outside = (found < 0) | (found >= sizes)
        if np.any(outside & ~self.escapes[rows]):
            raise ValueError("symbols outside a distribution that has no escape")
        return np.where(outside, sizes, found)

    def escaped(
        self, intervals: Int[np.ndarray, "S"], rows: Int[np.ndarray, "S"]
    ) -> Bool[np.ndarray, "S"]:
        """True where an interval is the escape."""
        return intervals == self.sizes[rows]


@dataclasses.dataclass(frozen=True)
class GaussianTables:
    """Distributions of 256 zero-mean Gaussians of ascending scale.

    Attributes:
      scale_table: standard deviation of each row, in quantisation steps, 0.11 to 64.
      row_starts: smallest scale of rows 1 to 255; smaller ones use row 0.
      rows: the distributions, each with an escape.
    """

    scale_table: Float[np.ndarray, "rows"]
    row_starts: Float[np.ndarray, "starts"]
    rows: tuple[Distribution, ...]


@functools.cache
def load_gaussian_tables() -> GaussianTables:
    """Returns the tables shipped with the package.

    See docs/architecture.md#gaussian-tables.
    """
    with np.load(io.BytesIO(_stored()), allow_pickle=False) as arrays:
        rows = (
            Distribution(cdf[:length], int(offset), escape=True)
            for cdf, length, offset in zip(
                arrays["cdf"], arrays["cdf_length"], arrays["offset"], strict=True
            )
        )
        return GaussianTables(arrays["scale_table"], arrays["row_starts"], tuple(rows))


@functools.cache
def gaussian_tables_digest() -> str:
    """SHA-256 of the shipped tables, in hexadecimal."""
    return hashlib.sha256(_stored()).hexdigest()


def _stored() -> bytes:
    return (importlib.resources.files("dlf_jax.entropy_coding") / _FILE).read_bytes()


def scale_to_index(
    scales: Float[np.ndarray, "*shape"], skip_threshold: float
) -> Int[np.ndarray, "*shape"]:
    """Table row of each scale: the last row whose start does not exceed it.

    Args:
      scales: predicted standard deviations in quantisation steps, any sign.
      skip_threshold: symbols with a scale below this are not coded.

    Returns:
      int32 rows in [0, 255], or -1 where the symbol is not coded.

    Reference: docs/architecture.md#table-row-of-a-scale, as comparisons instead of
    logarithms.
    """
    starts = load_gaussian_tables().row_starts
    rows = np.searchsorted(starts, scales, side="right").astype(np.int32)
    return np.where(scales < np.float32(skip_threshold), np.int32(-1), rows)
