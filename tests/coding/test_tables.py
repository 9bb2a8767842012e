"""The stored tables equal their generator and the golden data; rows are exact."""

import math

import numpy as np

from dlf_jax.coding.gaussian_cdfs import gaussian_cdfs, row_starts
from dlf_jax.coding.tables import load_gaussian_tables, scale_to_index


def test_stored_tables_are_what_the_generator_makes():
    tables = load_gaussian_tables()
    cdf, cdf_length, offset = gaussian_cdfs(tables.scale_table)
    np.testing.assert_array_equal(cdf, tables.cdf)
    np.testing.assert_array_equal(cdf_length, tables.cdf_length)
    np.testing.assert_array_equal(offset, tables.offset)
    np.testing.assert_array_equal(row_starts(), tables.row_starts)


def test_rows_are_proper_distributions():
    tables = load_gaussian_tables()
    for row in range(256):
        frequencies = tables.frequencies(row)
        assert frequencies.min() >= 1
        assert frequencies.sum() == 65536
        symbols = frequencies[:-1]
        np.testing.assert_allclose(symbols, symbols[::-1], rtol=0.5, atol=1)
        assert symbols[-tables.offset[row]] >= symbols.max() - 1


def test_stored_tables_equal_golden_data(parity):
    golden = np.load(parity / "entropy" / "entropy_vectors.npz")
    tables = load_gaussian_tables()
    for name in ("scale_table", "cdf", "cdf_length", "offset"):
        np.testing.assert_array_equal(getattr(tables, name), golden[name])


def test_rows_of_scales_equal_golden_data(parity):
    golden = np.load(parity / "entropy" / "entropy_vectors.npz")
    scales = golden["idx.scales"]
    np.testing.assert_array_equal(scale_to_index(scales, -np.inf), golden["idx.plain"])
    np.testing.assert_array_equal(scale_to_index(scales, 0.12), golden["idx.thr0.12"])


def test_row_of_a_scale_on_both_sides_of_every_start():
    starts = load_gaussian_tables().row_starts
    rows = np.arange(1, 256)
    np.testing.assert_array_equal(scale_to_index(starts, 0.0), rows)
    below = np.nextafter(starts, np.float32(0))
    np.testing.assert_array_equal(scale_to_index(below, 0.0), rows - 1)


def test_row_is_the_truncated_logarithm():
    scales = np.geomspace(0.1, 80, 5001).astype(np.float32)
    step = (math.log(64) - math.log(0.11)) / 255
    exact = (np.log(scales.astype(np.float64)) - math.log(0.11)) / step
    safe = np.abs(exact - np.round(exact)) > 1e-4
    want = np.clip(exact, 0, 255).astype(int)
    np.testing.assert_array_equal(scale_to_index(scales, 0.0)[safe], want[safe])


def test_scales_below_the_threshold_are_not_coded():
    scales = np.array([[-3.0, 0.0, 0.1199], [0.12, 1e30, np.inf]], np.float32)
    indexes = scale_to_index(scales, 0.12)
    assert indexes.dtype == np.int32
    np.testing.assert_array_equal(indexes, [[-1, -1, -1], [3, 255, 255]])
