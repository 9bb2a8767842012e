import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.ops.bounds import lower_bound


def test_value_is_the_maximum():
    x = jnp.array([-1.0, 0.49, 0.5, 2.0])
    np.testing.assert_array_equal(lower_bound(x, 0.5), np.maximum(x, 0.5))


@pytest.mark.parametrize(
    ("x", "g", "expected"),
    [
        (2.0, 3.0, 3.0),
        (2.0, -3.0, -3.0),
        (0.5, 3.0, 3.0),
        (0.4, 3.0, 0.0),
        (0.4, -3.0, -3.0),
        (0.4, 0.0, 0.0),
    ],
)
def test_gradient_passes_above_the_bound_or_when_it_pulls_up(x, g, expected):
    def loss(x):
        return g * lower_bound(x, 0.5)

    x = jnp.float32(x)
    assert jax.grad(loss)(x) == expected
    assert jax.jit(jax.grad(loss))(x) == expected


def test_descent_leaves_the_forbidden_side():
    x = jnp.float32(0.1)
    for _ in range(20):
        x -= 0.1 * jax.grad(lambda x: (lower_bound(x, 0.5) - 1.0) ** 2)(x)
    assert x > 0.5
