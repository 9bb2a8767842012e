import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.nn.transformer import TransformerBlock
from tests.random_params import random_params


@pytest.fixture
def block(normal):
    """A block as a function of (parameters, x), its parameters, and an input."""
    module = TransformerBlock(num_heads=2)
    x = normal(3, 5, 8)
    return jax.jit(module.apply), {"params": random_params(module, x)}, x


def test_knows_nothing_of_the_order_of_tokens(block):
    apply, variables, x = block
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(
        apply(variables, x[:, order]),
        apply(variables, x)[:, order],
        rtol=1e-5,
        atol=1e-5,
    )


def test_both_branches_are_residuals(block):
    apply, variables, x = block
    nothing = jax.tree.map(jnp.zeros_like, variables)
    np.testing.assert_array_equal(apply(nothing, x), x)


def test_sequences_do_not_see_each_other(block):
    apply, variables, x = block
    np.testing.assert_allclose(
        apply(variables, x[1]), apply(variables, x)[1], atol=1e-6
    )


def test_bias_of_keys_changes_nothing_and_has_no_gradient():
    x = jax.random.normal(jax.random.key(0), (2, 5, 8))
    block = TransformerBlock(num_heads=2)
    params = block.init(jax.random.key(1), x)["params"]

    @jax.jit
    def run(bias):
        changed = params | {"qkv": params["qkv"] | {"bias": bias}}
        return block.apply({"params": changed}, x)

    at = jnp.zeros(24)
    np.testing.assert_allclose(run(at.at[8:16].set(0.5)), run(at), atol=1e-5)
    gradient = jax.grad(lambda bias: jnp.sum(jnp.sin(run(bias))))(at).reshape(3, 8)
    assert not np.any(gradient[1])
    assert np.all(gradient[::2] != 0)
