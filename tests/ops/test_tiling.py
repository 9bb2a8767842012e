import jax.numpy as jnp
import numpy as np

from dlf_jax.ops.tiling import from_tiles, pixel_shuffle, pixel_unshuffle, to_tiles


def test_tiles_are_ordered_by_image_row_and_column():
    image, row, col = np.indices((2, 4, 6))
    x = jnp.asarray(100 * image + 10 * row + col, jnp.float32)[..., None]
    tiles = to_tiles(x, 2)[..., 0]
    assert tiles.shape == (12, 4)
    np.testing.assert_array_equal(tiles[1], [2, 3, 12, 13])
    np.testing.assert_array_equal(tiles[3], [20, 21, 30, 31])
    np.testing.assert_array_equal(tiles[6], [100, 101, 110, 111])


def test_tiles_round_trip():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 12, 8, 3)), jnp.float32)
    np.testing.assert_array_equal(from_tiles(to_tiles(x, 4), (3, 2)), x)


def test_pixel_shuffle_order():
    # One cell, two output channels: channel-major, then row, then column.
    x = jnp.arange(8.0).reshape(1, 1, 1, 8)
    out = pixel_shuffle(x, 2)
    assert out.shape == (1, 2, 2, 2)
    np.testing.assert_array_equal(out[0, :, :, 0], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(out[0, :, :, 1], [[4, 5], [6, 7]])


def test_pixel_shuffle_index_formula():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 2, 3, 12)), jnp.float32)
    out = pixel_shuffle(x, 2)
    for r, c, i, j, ch in np.ndindex(2, 3, 2, 2, 3):
        assert out[0, 2 * r + i, 2 * c + j, ch] == x[0, r, c, 4 * ch + 2 * i + j]


def test_pixel_unshuffle_is_the_inverse():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 6, 5)), jnp.float32)
    cells = pixel_unshuffle(x, 2)
    assert cells.shape == (2, 2, 3, 20)
    np.testing.assert_array_equal(pixel_shuffle(cells, 2), x)
