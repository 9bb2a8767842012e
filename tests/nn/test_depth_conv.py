import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.nn.depth_conv import DepthConvBlock


def zeros_of(module, x):
    """Parameters that are all zero."""
    shapes = jax.eval_shape(module.init, jax.random.key(0), x)["params"]
    return jax.tree.map(lambda s: jnp.zeros(s.shape), shapes)


def test_an_adaptor_only_where_the_width_changes():
    x = jnp.zeros((1, 4, 4, 8))
    assert "adaptor" not in zeros_of(DepthConvBlock(8), x)
    assert zeros_of(DepthConvBlock(12), x)["adaptor"]["kernel"].shape == (8, 12)


def test_both_parts_are_residuals(normal):
    x = normal(1, 4, 5, 8)
    module = DepthConvBlock(8)
    out = module.apply({"params": zeros_of(module, x)}, x)
    np.testing.assert_array_equal(out, x)


def test_slopes_of_the_two_halves():
    """One channel whose second part adds leaky(u, 0.1) + leaky(v, 0.01)."""
    module = DepthConvBlock(1)
    x = jnp.array([-1.0, 2.0]).reshape(1, 1, 2, 1)
    params = zeros_of(module, x)
    # Of u two channels, then of v two: u = (x, 0), v = (x, 0).
    params["ffn_in"]["kernel"] = jnp.array([[1.0, 0.0, 1.0, 0.0]])
    params["ffn_out"]["kernel"] = jnp.array([[1.0], [0.0]])
    out = module.apply({"params": params}, x)
    np.testing.assert_allclose(out[0, 0, :, 0], [-1 - 0.1 - 0.01, 2 + 2 + 2])


def test_no_activation_after_the_depthwise_convolution():
    module = DepthConvBlock(1)
    x = jnp.full((1, 1, 1, 1), -100.0)
    params = zeros_of(module, x)
    params["conv_in"]["kernel"] = jnp.ones((1, 1))
    params["depth_conv"]["kernel"] = params["depth_conv"]["kernel"].at[1, 1].set(1.0)
    params["conv_out"]["kernel"] = jnp.ones((1, 1))
    # −100 becomes −1 by the slope 0.01 before the convolution, and stays −1 after it.
    np.testing.assert_allclose(module.apply({"params": params}, x)[0, 0, 0], [-101.0])
