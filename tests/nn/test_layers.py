import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from dlf_jax.nn.layers import (
    Conv,
    Dense,
    DepthwiseConv,
    GroupNorm,
    LayerNorm,
    cell_or_group_norm,
    conv,
    dense,
    gelu,
)


class Apply(nn.Module):
    """One of the functions that create a layer, as a module."""

    layer: object

    @nn.compact
    def __call__(self, x):
        return self.layer(x)


def test_gelu_is_exact():
    x = np.linspace(-4, 4, 33)
    expected = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x]
    np.testing.assert_allclose(gelu(jnp.asarray(x)), expected, atol=1e-6)


def test_layer_norm_of_a_small_variance_far_from_zero():
    # A variance of 1e-6 on a mean of 100 drowns in rounding as E[x²] − E[x]².
    x = 100 + np.array([[-1e-3, 1e-3, -1e-3, 1e-3]])
    x = jnp.asarray(x, jnp.float32)
    module = LayerNorm()
    out = module.apply(module.init(jax.random.key(0), x), x)
    exact = np.asarray(x).astype(np.float64)
    exact -= exact.mean()
    expected = exact / np.sqrt(np.mean(exact**2) + 1e-5)
    np.testing.assert_allclose(out, expected, rtol=1e-2)


def test_group_norm_takes_consecutive_channels_and_all_pixels():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4, 6)).astype(np.float32)
    module = GroupNorm(3)
    out = module.apply(module.init(jax.random.key(0), x), x)
    groups = x.reshape(2, 12, 3, 2)
    mean = groups.mean((1, 3), keepdims=True)
    variance = groups.var((1, 3), keepdims=True)
    expected = (groups - mean) / np.sqrt(variance + 1e-6)
    np.testing.assert_allclose(out, expected.reshape(x.shape), rtol=1e-4, atol=1e-5)


def test_kernels_start_with_a_variance_of_the_inverse_fan_in():
    x = jnp.zeros((1, 8, 8, 64))
    for layer, fan_in in (
        (lambda x: dense(x, 64, "layer"), 64),
        (lambda x: conv(x, 64, "layer"), 9 * 64),
        (lambda x: DepthwiseConv(5, name="layer")(x), 25),
    ):
        params = Apply(layer).init(jax.random.key(0), x)["params"]["layer"]
        np.testing.assert_allclose(jnp.std(params["kernel"]), fan_in**-0.5, rtol=0.1)
        np.testing.assert_array_equal(params["bias"], 0.0)


def test_convolutions_keep_the_size_and_pad_with_zeros():
    x = jnp.ones((1, 5, 6, 2))
    for layer, size in (
        (lambda x: conv(x, 2, "layer"), 3),
        (lambda x: DepthwiseConv(5, name="layer")(x), 5),
    ):
        module = Apply(layer)
        shapes = jax.eval_shape(module.init, jax.random.key(0), x)
        ones = jax.tree.map(lambda s: jnp.ones(s.shape), shapes)
        inputs = ones["params"]["layer"]["kernel"].shape[2]
        out = module.apply(ones, x)
        assert out.shape == x.shape
        half = size // 2
        assert out[0, 0, 0, 0] == (half + 1) ** 2 * inputs + 1
        assert out[0, 2, 3, 0] == size**2 * inputs + 1


def test_depthwise_convolution_filters_every_channel_alone():
    x = jax.random.normal(jax.random.key(0), (2, 6, 7, 3))
    module = DepthwiseConv(5)
    params = {
        "kernel": jax.random.normal(jax.random.key(1), (5, 5, 1, 3)),
        "bias": jnp.array([1.0, 2.0, 3.0]),
    }
    expected = jax.lax.conv_general_dilated(
        x,
        params["kernel"],
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=3,
    )
    out = module.apply({"params": params}, x)
    np.testing.assert_allclose(out, expected + params["bias"], rtol=1e-5, atol=1e-5)


def _gradients(function, *args):
    """Gradients of a random weighted sum of the results."""
    shape = jax.eval_shape(function, *args).shape
    weights = jax.random.normal(jax.random.key(3), shape)
    names = tuple(range(len(args)))
    return jax.grad(lambda *args: jnp.sum(weights * function(*args)), names)(*args)


def test_gradients_of_a_depthwise_convolution():
    x = jax.random.normal(jax.random.key(0), (2, 6, 7, 3))
    kernel = jax.random.normal(jax.random.key(1), (5, 5, 1, 3))
    bias = jnp.array([1.0, 2.0, 3.0])

    def ours(x, kernel, bias):
        params = {"kernel": kernel, "bias": bias}
        return DepthwiseConv(5).apply({"params": params}, x)

    def xla(x, kernel, bias):
        names = ("NHWC", "HWIO", "NHWC")
        return bias + jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=names, feature_group_count=3
        )

    pairs = zip(*(_gradients(f, x, kernel, bias) for f in (ours, xla)), strict=True)
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("ours", "flax"),
    [
        (LayerNorm(), nn.LayerNorm(epsilon=1e-5, use_fast_variance=False)),
        (Dense(5), nn.Dense(5)),
        (Conv(5, (3, 3), padding=1), nn.Conv(5, (3, 3), padding=1)),
        (
            Conv(5, (4, 4), strides=2, padding=((0, 1), (2, 0))),
            nn.Conv(5, (4, 4), strides=2, padding=((0, 1), (2, 0))),
        ),
    ],
)
def test_layers_agree_with_flax(ours, flax):
    x = jax.random.normal(jax.random.key(0), (2, 6, 7, 3))
    variables = flax.init(jax.random.key(1), x)
    variables = jax.tree.map(lambda p: p + 0.1, variables)
    shapes = [
        jax.tree.map(jnp.shape, m.init(jax.random.key(1), x)) for m in (ours, flax)
    ]
    assert shapes[0] == shapes[1]
    found, expected = (m.apply(variables, x) for m in (ours, flax))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    found, expected = (_gradients(m.apply, variables, x) for m in (ours, flax))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
        found,
        expected,
    )


def test_cells_normalised_by_themselves_do_not_see_each_other():
    x = jax.random.normal(jax.random.key(0), (1, 4, 4, 8))
    other = x.at[0, 0, 0].set(100.0)
    for groups, seen in ((0, False), (2, True)):
        module = cell_or_group_norm(groups, None)
        variables = module.init(jax.random.key(0), x)
        a, b = (module.apply(variables, y)[0, 3, 3] for y in (x, other))
        assert seen == (not np.array_equal(a, b))
