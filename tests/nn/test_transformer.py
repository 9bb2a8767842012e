import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.nn.transformer import TransformerBlock


def block_and_params():
    module = TransformerBlock(num_heads=2)
    x = jax.random.normal(jax.random.key(1), (3, 5, 8))
    return module, module.init(jax.random.key(0), x), x


def test_knows_nothing_of_the_order_of_tokens():
    module, variables, x = block_and_params()
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(
        module.apply(variables, x[:, order]),
        module.apply(variables, x)[:, order],
        rtol=1e-5,
        atol=1e-5,
    )


def test_both_branches_are_residuals():
    module, variables, x = block_and_params()
    nothing = jax.tree.map(jnp.zeros_like, variables)
    np.testing.assert_array_equal(module.apply(nothing, x), x)


def test_sequences_do_not_see_each_other():
    module, variables, x = block_and_params()
    np.testing.assert_allclose(
        module.apply(variables, x[1]), module.apply(variables, x)[1], atol=1e-6
    )
