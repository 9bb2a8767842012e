import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.nn.resnet import Downsample, ResBlock, SpatialAttention, Upsample


def test_downsample_pads_at_the_bottom_and_the_right():
    x = jnp.ones((1, 4, 6, 1))
    params = {"conv": {"kernel": jnp.ones((3, 3, 1, 1)), "bias": jnp.zeros(1)}}
    out = Downsample().apply({"params": params}, x)
    np.testing.assert_array_equal(out[0, :, :, 0], [[9, 9, 6], [6, 6, 4]])


def test_upsample_repeats_before_it_convolves():
    x = jnp.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    kernel = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1.0)
    params = {"conv": {"kernel": kernel, "bias": jnp.zeros(1)}}
    out = Upsample().apply({"params": params}, x)
    np.testing.assert_array_equal(
        out[0, :, :, 0], np.repeat(np.repeat([[1, 2], [3, 4]], 2, 0), 2, 1)
    )


def test_a_shortcut_only_where_the_width_changes():
    x = jnp.zeros((1, 4, 4, 8))
    for features in (8, 16):
        module = ResBlock(features, norm_groups=4)
        params = jax.eval_shape(module.init, jax.random.key(0), x)["params"]
        assert ("shortcut" in params) == (features != 8)


def test_attention_is_global(normal):
    module = SpatialAttention(norm_groups=2)
    x = normal(1, 4, 6, 4)
    variables = jax.jit(module.init)(jax.random.key(0), x)

    @jax.jit
    @jax.grad
    def gradient(x):
        return jnp.sum(module.apply(variables, x)[0, 0, 0])

    assert np.all(np.abs(gradient(x)).sum((0, 3)) > 0)
