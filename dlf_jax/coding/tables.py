"""The stored integer Gaussian tables and the float -> row rule that selects one.

The tables are data: they depend on the float32 rounding of the machine that made them,
so neither side of a transmission ever recomputes them (`gaussian_cdfs.py` documents
their origin and a test repeats it).
"""

import dataclasses
import functools
import importlib.resources

import numpy as np
from jaxtyping import Float, Int

_FILE = "gaussian_tables.npz"


@dataclasses.dataclass(frozen=True)
class GaussianTables:
    """Cumulative distributions of 256 zero-mean Gaussians of ascending scale.

    Attributes:
      scale_table: standard deviation of each row, in quantisation steps, 0.11 to 64.
      cdf: cumulative counts out of 65536; row r uses its first `cdf_length[r]` values.
        The last interval of a row is the escape entry.
      cdf_length: number of cumulative values of each row.
      offset: symbol coded by the first interval of each row (negative).
      row_starts: smallest scale of rows 1 to 255; smaller ones use row 0.
    """

    scale_table: Float[np.ndarray, "rows"]
    cdf: Int[np.ndarray, "rows values"]
    cdf_length: Int[np.ndarray, "rows"]
    offset: Int[np.ndarray, "rows"]
    row_starts: Float[np.ndarray, "starts"]

    def frequencies(self, row: int) -> Int[np.ndarray, "entries"]:
        """Counts of row `row`, escape last; they are positive and add up to 65536."""
        return np.diff(self.cdf[row, : self.cdf_length[row]])


@functools.cache
def load_gaussian_tables() -> GaussianTables:
    """Returns the tables shipped with the package (DLF, architecture spec §10.3)."""
    file = importlib.resources.files("dlf_jax.coding") / _FILE
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return GaussianTables(**{name: arrays[name] for name in arrays.files})


def scale_to_index(
    scales: Float[np.ndarray, "*shape"], skip_threshold: float
) -> Int[np.ndarray, "*shape"]:
    """Table row of each scale: the last row whose start does not exceed it.

    Args:
      scales: predicted standard deviations in quantisation steps, float32, any sign.
      skip_threshold: symbols with a scale below this are not coded.

    Returns:
      int32 rows in [0, 255], or -1 where the symbol is not coded.

    Reference: DLF, architecture spec §10.2, as comparisons instead of logarithms.
    """
    starts = load_gaussian_tables().row_starts
    rows = np.searchsorted(starts, scales, side="right").astype(np.int32)
    return np.where(scales < np.float32(skip_threshold), np.int32(-1), rows)
