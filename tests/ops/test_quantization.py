import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.ops.quantization import (
    l2_normalize,
    nearest_code,
    round_ste,
    straight_through,
)


def test_rounds_to_nearest_with_ties_to_even():
    x = jnp.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49, -0.51])
    np.testing.assert_array_equal(round_ste(x), [-2, -2, 0, 0, 2, 2, 0, -1])


def test_gradient_of_rounding_is_that_of_the_identity():
    gradient = jax.grad(lambda x: jnp.sum(jnp.array([3.0, -2.0]) * round_ste(x)))
    np.testing.assert_array_equal(gradient(jnp.array([0.3, 1.7])), [3.0, -2.0])


def test_straight_through_moves_the_soft_value_only():
    value, (hard, soft) = jax.value_and_grad(
        lambda h, s: straight_through(h, s)[0], argnums=(0, 1)
    )(jnp.array([4.0]), jnp.array([1.0]))
    assert value == 4.0
    np.testing.assert_array_equal(hard, [0.0])
    np.testing.assert_array_equal(soft, [1.0])


def test_normalises_to_unit_length():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)), jnp.float32)
    y = l2_normalize(x)
    np.testing.assert_allclose(jnp.linalg.norm(y, axis=-1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(y * jnp.linalg.norm(x, axis=-1)[:, None], x, rtol=1e-5)


def test_normalisation_is_finite_at_zero():
    zero = jnp.zeros((2, 3))
    np.testing.assert_array_equal(l2_normalize(zero), zero)
    gradient = jax.grad(lambda x: jnp.sum(l2_normalize(x)))(zero)
    assert bool(jnp.isfinite(gradient).all())


def test_nearest_code_takes_the_first_of_equals():
    codebook = jnp.array([[5.0, 0.0], [1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    x = jnp.array([[[1.2, 0.0]], [[0.0, 1.0]], [[-9.0, 0.0]]])
    np.testing.assert_array_equal(nearest_code(x, codebook), [[1], [1], [3]])


def test_nearest_code_is_at_the_smallest_distance():
    rng = np.random.default_rng(0)
    x, codebook = rng.normal(size=(50, 4)), rng.normal(size=(20, 4))
    distance = ((x[:, None] - codebook) ** 2).sum(-1)
    indices = nearest_code(jnp.asarray(x), jnp.asarray(codebook))
    np.testing.assert_array_equal(indices, distance.argmin(-1))
