"""Losses against values by hand or by NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.training.losses import terms
from dlf_jax.training.step.randomness import square_corners


def test_vq_loss_weighs_commitment_by_a_quarter():
    assert terms.vq_loss(jnp.float32(2.0), jnp.float32(8.0)) == 4.0


def test_uniformity_of_vectors_alike_and_apart():
    here, there = jnp.array([1.0, 0.0]), jnp.array([-1.0, 0.0])
    same = jnp.stack([here] * 2)
    assert terms.uniformity(jnp.stack([same, same])) == 0.0
    # Alike at the first position, opposite (d² = 4) at the second.
    other = jnp.stack([here, there])
    found = terms.uniformity(jnp.stack([same, other]))
    expected = np.log((1 + np.exp(-8.0)) / 2) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_uniformity_pushes_vectors_apart():
    vectors = jnp.array([[[1.0, 0.1]], [[1.0, -0.1]]])
    down = -jax.grad(terms.uniformity)(vectors)
    assert down[0, 0, 1] > 0 > down[1, 0, 1]
    assert not np.any(jax.grad(terms.uniformity)(vectors[:1]))


def test_errors_are_means_of_each_image():
    image = jnp.zeros((2, 2, 2, 3))
    recon = image.at[0].set(1.0).at[1, 0].set(-2.0)
    np.testing.assert_allclose(terms.absolute_error(image, recon), [1.0, 1.0])
    np.testing.assert_allclose(terms.squared_error(image, recon), [1.0, 2.0])


def test_blockiness_of_steps_at_the_borders_of_cells():
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.uniform(-1, 1, (2, 16, 12, 3)), jnp.float32)
    np.testing.assert_array_equal(terms.blockiness(image, image, 4), [0, 0])
    # Differences of k or 2k levels everywhere, whatever their sign and place: flat.
    ramp = jnp.arange(16.0)[:, None, None] + jnp.arange(12.0)[:, None]
    even = jnp.broadcast_to(ramp / 127.5, image.shape).at[1].multiply(-2.0)
    # All of the differences at the borders of one of two axes: profile (4, 0, 0, 0),
    # of which the flat one differs by 3, 1, 1 and 1; the other axis has none at all.
    blocks = jnp.broadcast_to((jnp.arange(16) // 4)[:, None, None] / 4.0, image.shape)
    found = terms.blockiness(even, blocks, 4)
    np.testing.assert_allclose(found, 0.5 * (6 / 4 + 1), rtol=0.01)
    np.testing.assert_allclose(
        terms.blockiness(even.swapaxes(1, 2), blocks.swapaxes(1, 2), 4), found
    )


def test_the_blockiness_goes_down_where_borders_are_smoothed():
    rng = np.random.default_rng(1)
    image = jnp.asarray(rng.normal(0.0, 0.1, (1, 32, 32, 3)), jnp.float32)
    steps = jnp.asarray(rng.normal(0.0, 0.2, (1, 4, 4, 3)), jnp.float32)
    blocks = jnp.repeat(jnp.repeat(steps, 8, axis=1), 8, axis=2)
    values = [terms.blockiness(image, image + s * blocks, 8) for s in (0, 0.5, 1)]
    assert values[0] < values[1] < values[2]


def test_cross_entropy_of_uniform_and_certain_predictions():
    codes = jnp.array([[[0, 1], [2, 3]]])
    uniform = terms.code_cross_entropy(jnp.zeros((1, 2, 2, 4)), codes)
    np.testing.assert_allclose(uniform, np.log(4.0), rtol=1e-6)
    certain = 100.0 * jax.nn.one_hot(codes, 4)
    np.testing.assert_allclose(terms.code_cross_entropy(certain, codes), 0.0)


def test_rate_is_weighted_by_the_lambda_of_each_image():
    found = terms.weighted_rate(
        jnp.array([64.0, 64.0, 128.0]),
        jnp.array([0, 1, 1]),
        jnp.array([4.0, 0.5]),
        num_pixels=64,
    )
    np.testing.assert_allclose(found, [4.0, 0.5, 1.0])


def test_hinge_loss_is_zero_beyond_the_margin():
    real, fake = (jnp.array(x).reshape(1, 1, 2, 1) for x in ([1.5, 0.5], [-1.0, 0.0]))
    np.testing.assert_allclose(terms.hinge_loss(real, fake), 0.5 * (0.25 + 0.5))
    np.testing.assert_allclose(terms.generator_loss(fake), 0.5)


def test_adaptive_weight_is_the_ratio_of_the_norms():
    nll, generator = jnp.array([[3.0, 4.0]]), jnp.array([[0.0, 2.0]])
    weight = terms.adaptive_weight
    np.testing.assert_allclose(weight(nll, generator), 5.0 / 2.0001, rtol=1e-6)
    np.testing.assert_allclose(weight(nll, 0 * generator), 1e4)
    gradient = jax.grad(lambda x: weight(x, generator))(nll)
    np.testing.assert_array_equal(gradient, 0.0)


def test_crops_are_the_same_square_of_both_images():
    image = jnp.arange(3 * 12 * 10 * 3, dtype=jnp.float32).reshape(3, 12, 10, 3)
    crops = jax.jit(terms.crop_pairs, static_argnums=3)
    corners = square_corners(jax.random.key(0), 3, (12, 10), 8)
    a, b = crops(corners, image, -image, 8)
    assert a.shape == (3, 8, 8, 3)
    np.testing.assert_array_equal(a, -b)
    for whole, part in zip(np.asarray(image), np.asarray(a), strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(whole, (8, 8, 3))[:, :, 0]
        assert (windows == part).all(axis=(2, 3, 4)).sum() == 1


def test_large_crops_are_the_whole_image():
    image = jnp.ones((1, 8, 8, 3))
    a, b = terms.crop_pairs(jnp.zeros((1, 2), int), image, -image, 64)
    assert a is image
    np.testing.assert_array_equal(b, -image)


def test_cells_and_pixels_are_the_same_place():
    rows, cols = jnp.meshgrid(jnp.arange(6), jnp.arange(6), indexing="ij")
    latent = jnp.stack([rows, cols], axis=-1)[None].astype(jnp.float32)
    latent = jnp.concatenate([latent, latent])
    image = jnp.repeat(jnp.repeat(latent, 4, axis=1), 4, axis=2)
    image = jnp.concatenate([image, image[..., :1]], axis=-1)
    cells = jax.jit(terms.crop_cells, static_argnums=3)
    corners = square_corners(jax.random.key(3), 2, (6, 6), 2)
    part, pixels = cells(corners, latent, image, 2)
    assert part.shape == (2, 2, 2, 2) and pixels.shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(part, pixels[:, ::4, ::4, :2])
    np.testing.assert_array_equal(part, pixels[:, 3::4, 3::4, :2])
