"""The stored tables equal their generator and the golden data; rows are exact."""

import math

import numpy as np
import pytest

from dlf_jax.entropy_coding.gaussian_cdfs import gaussian_cdfs, row_starts
from dlf_jax.entropy_coding.tables import (
    Distribution,
    load_gaussian_tables,
    scale_to_index,
)


def test_stored_tables_are_what_the_generator_makes():
    tables = load_gaussian_tables()
    cdf, cdf_length, offset = gaussian_cdfs(tables.scale_table)
    for row, found in enumerate(tables.rows):
        np.testing.assert_array_equal(cdf[row, : cdf_length[row]], found.cdf)
        assert found.offset == offset[row] and found.escape
    np.testing.assert_array_equal(row_starts(), tables.row_starts)


def test_rows_are_proper_distributions():
    assert len(load_gaussian_tables().rows) == 256
    for row in load_gaussian_tables().rows:
        assert row.frequencies.min() >= 1
        assert row.frequencies.sum() == 65536
        symbols = row.frequencies[:-1]
        assert len(symbols) == row.size
        np.testing.assert_allclose(symbols, symbols[::-1], rtol=0.5, atol=1)
        assert symbols[-row.offset] >= symbols.max() - 1


def test_stored_tables_equal_golden_data(parity):
    golden = np.load(parity / "entropy" / "entropy_vectors.npz")
    tables = load_gaussian_tables()
    np.testing.assert_array_equal(tables.scale_table, golden["scale_table"])
    for row, found in enumerate(tables.rows):
        length = golden["cdf_length"][row]
        np.testing.assert_array_equal(found.cdf, golden["cdf"][row, :length])
        assert found.offset == golden["offset"][row]


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


def test_every_symbol_has_an_interval():
    row = Distribution(np.array([0, 10, 65000, 65536], np.int32), -1, escape=True)
    assert row.size == 2
    np.testing.assert_array_equal(
        row.intervals(np.array([-9, -1, 0, 1, 70])), [2, 0, 1, 2, 2]
    )
    np.testing.assert_allclose(2.0**-row.bits * 65536, [10, 64990, 536])
    closed = Distribution(row.cdf, -1)
    assert closed.intervals(np.array([1])).tolist() == [2]
    for symbol in (-2, 2):
        with pytest.raises(ValueError, match="outside"):
            closed.intervals(np.array([symbol]))
