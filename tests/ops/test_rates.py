"""Rows of a table between its rows."""

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.ops.rates import at_rates

TABLE = jnp.array([[1.1, -2.0], [0.3, 8.0], [7.7, 0.0]])


def test_rate_points_have_the_rows_themselves():
    points = jnp.array([0, 2, 1])
    for rates in (points, points.astype(jnp.float32)):
        np.testing.assert_array_equal(at_rates(TABLE, rates), TABLE[points])
    np.testing.assert_array_equal(at_rates(TABLE[:1], jnp.zeros(1)), TABLE[:1])


def test_other_rates_lie_on_the_line_between_two_rows():
    found = at_rates(TABLE, jnp.array([0.25, 1.5]))
    np.testing.assert_allclose(found, [[0.9, 0.5], [4.0, 4.0]], rtol=1e-6)


def test_rate_points_move_their_own_row_only():
    gradient = jax.grad(lambda table: at_rates(table, jnp.array([1])).sum())(TABLE)
    np.testing.assert_array_equal(gradient, [[0, 0], [1, 1], [0, 0]])
