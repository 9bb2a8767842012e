import jax.numpy as jnp
import numpy as np

from dlf_jax.ops.windows import (
    from_windows,
    relative_positions,
    shift_masks,
    to_windows,
)


def test_windows_and_their_cells_are_in_raster_order():
    x = jnp.arange(4 * 6.0).reshape(1, 4, 6, 1)
    windows = to_windows(x, 2)
    assert windows.shape == (1, 2, 3, 4, 1)
    np.testing.assert_array_equal(windows[0, 0, 1, :, 0], [2, 3, 8, 9])
    np.testing.assert_array_equal(windows[0, 1, 0, :, 0], [12, 13, 18, 19])


def test_windows_round_trip():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 12, 3)), jnp.float32)
    np.testing.assert_array_equal(from_windows(to_windows(x, 4), 4), x)


def test_relative_positions_are_key_minus_query():
    rows, cols = relative_positions(2)
    # Queries down, keys across; 1 is the same row or column.
    np.testing.assert_array_equal(
        rows, [[1, 1, 2, 2], [1, 1, 2, 2], [0, 0, 1, 1], [0, 0, 1, 1]]
    )
    np.testing.assert_array_equal(
        cols, [[1, 2, 1, 2], [0, 1, 0, 1], [1, 2, 1, 2], [0, 1, 0, 1]]
    )


def test_relative_positions_cover_the_table():
    positions = relative_positions(16)
    assert positions.shape == (2, 256, 256)
    assert positions.min() == 0
    assert positions.max() == 30


def test_shift_masks_of_a_4x4_window():
    upper = "........xxxxxxxx"
    lower = "xxxxxxxx........"
    left = "..xx..xx..xx..xx"
    right = "xx..xx..xx..xx.."
    upper_lower = 8 * [upper] + 8 * [lower]
    left_right = 4 * (2 * [left] + 2 * [right])
    for mask, picture in zip(shift_masks(4), (upper_lower, left_right), strict=True):
        assert mask.dtype == np.float32
        assert set(np.unique(mask)) == {-np.inf, 0.0}
        drawn = ["".join("x" if v else "." for v in row) for row in np.isneginf(mask)]
        assert drawn == picture
