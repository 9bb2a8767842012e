import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.nn.convnext import ConvNeXtBlock
from tests.random_params import random_params


def test_layer_scale_multiplies_the_input_of_the_branch(normal):
    module = ConvNeXtBlock()
    x = normal(1, 6, 7, 4)
    params = random_params(module, x)
    scale = jnp.array([0.5, -2.0, 0.0, 3.0])

    @jax.jit
    def branch(params, x):
        return module.apply({"params": params}, x) - x

    np.testing.assert_allclose(
        branch(params | {"layer_scale": scale}, x),
        branch(params | {"layer_scale": jnp.ones(4)}, x * scale),
        atol=1e-5,
    )


def test_sees_two_cells_in_every_direction(normal):
    module = ConvNeXtBlock()
    x = normal(1, 9, 9, 4)
    variables = {"params": random_params(module, x)}

    @jax.jit
    @jax.grad
    def gradient(x):
        return jnp.sum(module.apply(variables, x)[0, 4, 4])

    expected = np.zeros((9, 9), bool)
    expected[2:7, 2:7] = True
    np.testing.assert_array_equal(np.abs(gradient(x)).sum((0, 3)) > 0, expected)
