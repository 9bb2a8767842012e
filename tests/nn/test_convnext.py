import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.nn.convnext import ConvNeXtBlock


def test_layer_scale_multiplies_the_input_of_the_branch():
    module = ConvNeXtBlock()
    x = jax.random.normal(jax.random.key(1), (1, 6, 7, 4))
    params = module.init(jax.random.key(0), x)["params"]
    scale = jnp.array([0.5, -2.0, 0.0, 3.0])

    def branch(params, x):
        return module.apply({"params": params}, x) - x

    np.testing.assert_allclose(
        branch(params | {"layer_scale": scale}, x),
        branch(params, x * scale),
        atol=1e-5,
    )


def test_sees_two_cells_in_every_direction():
    module = ConvNeXtBlock()
    x = jax.random.normal(jax.random.key(1), (1, 9, 9, 4))
    variables = module.init(jax.random.key(0), x)
    gradient = jax.grad(lambda x: jnp.sum(module.apply(variables, x)[0, 4, 4]))(x)
    expected = np.zeros((9, 9), bool)
    expected[2:7, 2:7] = True
    np.testing.assert_array_equal(jnp.abs(gradient).sum((0, 3)) > 0, expected)
