import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.models.vqgan import VQGAN


@pytest.fixture(scope="module")
def vqgan(config, variables):
    """The module bound to its parameters."""
    return VQGAN(config.vqgan).bind({"params": variables["params"]["vqgan"]})


def test_autoencodes_through_its_codebook(vqgan, image):
    out = jax.jit(lambda image: vqgan(image))(image)
    assert out.recon.shape == image.shape
    assert out.vq.indices.shape == (2, 4, 8)
    np.testing.assert_allclose(
        out.vq.codes, vqgan.quantizer.lookup(out.vq.indices), rtol=1e-6
    )


def test_lookup_is_the_mean_code_under_the_softmax(vqgan, config):
    codebook = np.asarray(vqgan.quantizer.codebook)
    certain = 1e3 * jax.nn.one_hot(jnp.array([[[2, 5]]]), config.vqgan.num_codes)
    np.testing.assert_allclose(vqgan.lookup(certain)[0, 0], codebook[[2, 5]], rtol=1e-5)
    undecided = jnp.zeros((1, 1, 1, config.vqgan.num_codes))
    np.testing.assert_allclose(
        vqgan.lookup(undecided)[0, 0, 0], codebook.mean(0), rtol=1e-4, atol=1e-6
    )


def test_attention_only_where_configured(config, image):
    def names(vqgan_config):
        shapes = jax.eval_shape(VQGAN(vqgan_config).init, jax.random.key(0), image)
        leaves = jax.tree_util.tree_leaves_with_path(shapes)
        return " ".join(jax.tree_util.keystr(path) for path, _ in leaves)

    plain = dataclasses.replace(config.vqgan, attention_levels=(), mid_attention=False)
    assert "attention" not in names(plain)
    only_middle = dataclasses.replace(config.vqgan, attention_levels=())
    assert "['middle']['attention']" in names(only_middle)
    assert "attention_0" not in names(only_middle)
    assert "['level_2']['attention_0']" in names(config.vqgan)


@pytest.mark.slow
def test_a_fresh_decoder_with_a_linear_path_is_that_path(config):
    linear = dataclasses.replace(config.vqgan, linear_path=True)
    cells, channels = (1, 3, 2), linear.embed_dim
    latents = jax.random.normal(jax.random.key(1), (3, *cells, channels))
    one, other, changed = latents
    changed = one.at[0, 1, 0].set(changed[0, 1, 0])

    @jax.jit
    def run(one, other, changed):
        module = VQGAN(linear)
        image = jnp.zeros((1, 2 * linear.stride, 2 * linear.stride, 3))
        variables = module.init(jax.random.key(0), image)
        decode = lambda x: module.apply(variables, x, method=VQGAN.decode)  # noqa: E731
        return decode(one), decode(other), decode(one + other), decode(changed)

    first, second, both, new = run(one, other, changed)
    np.testing.assert_allclose(first + second, both, atol=1e-5)
    side = linear.stride
    moved = np.asarray(first != new)
    assert moved[0, side : 2 * side, :side].all()
    assert moved.sum() == 3 * side**2


def test_the_linear_path_leaves_out_the_last_normalisation(config, image):
    def names(vqgan_config):
        shapes = jax.eval_shape(VQGAN(vqgan_config).init, jax.random.key(0), image)
        leaves = jax.tree_util.tree_leaves_with_path(shapes)
        return {
            jax.tree_util.keystr(path[1:], simple=True, separator="/")
            for path, _ in leaves
        }

    plain = names(config.vqgan)
    linear = names(dataclasses.replace(config.vqgan, linear_path=True))
    parts = ("encoder", "decoder")
    assert linear - plain == {
        f"{part}/linear/{leaf}" for part in parts for leaf in ("kernel", "bias")
    }
    assert plain - linear == {
        f"{part}/norm_out/{leaf}" for part in parts for leaf in ("scale", "bias")
    }


def test_texture_is_one_pattern_unless_given(config):
    textured = dataclasses.replace(config.vqgan, texture_channels=3)
    latents = jnp.ones((2, 3, 2, textured.embed_dim))
    noise = jax.random.uniform(jax.random.key(1), (2, 12, 8, 3)) - 0.5

    @jax.jit
    def run(latents, noise):
        module = VQGAN(textured)
        image = jnp.zeros((1, 2 * textured.stride, 2 * textured.stride, 3))
        params = module.init(jax.random.key(0), image)["params"]
        decode = functools.partial(module.apply, method=VQGAN.decode)
        fresh = decode({"params": params}, latents, noise)
        out = params["decoder"]["texture"]["out"]
        out["kernel"] = jnp.ones_like(out["kernel"])
        variables = {"params": params}
        return (
            fresh,
            decode(variables, latents),
            decode(variables, latents[:1]),
            decode(variables, latents, noise),
        )

    fresh, fixed, single, drawn = map(np.asarray, run(latents, noise))
    np.testing.assert_allclose(fresh[0], fresh[1], atol=1e-6)
    np.testing.assert_allclose(fixed[0], fixed[1], atol=1e-6)
    np.testing.assert_allclose(fixed[:1], single, atol=1e-6)
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-3
    assert np.abs(fixed - fresh).max() > 1e-3
