import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.models.dlf import DLF, SemanticTokenizer

RATE = jnp.array([0, 1])


@functools.partial(jax.jit, static_argnums=0)
def run(config, variables, image, rate, noise):
    """The codec in its pieces, and the training forward: one program for all tests."""

    def everything(model, image, rate, noise):
        analysis = model.analyze(image, rate)
        prior = model.prior(rate, analysis.y.shape[1:3])
        coded = model.context(analysis.y, prior)
        out = model(image, rate)
        return {
            "tokens": analysis.tokens,
            "y": analysis.y,
            "symbols": coded.symbols,
            "y_hat": coded.y_hat,
            "recon": model.synthesize(analysis.tokens, coded.y_hat, rate),
            "training": out,
            "training_recon": model.reconstruct(out.latent),
            "noisy": model(image, rate, noise),
        }

    return DLF(config).apply(variables, image, rate, noise, method=everything)


@pytest.fixture(scope="module")
def noise():
    values = np.random.default_rng(2).uniform(-0.5, 0.5, (2, 2, 4, 4))
    return jnp.asarray(values, jnp.float32)


@pytest.fixture(scope="module")
def results(config, variables, image, noise):
    return run(config, variables, image, RATE, noise)


def test_shapes_of_a_non_square_batch(results, image, config):
    assert results["tokens"].shape == (4, config.num_tokens)
    assert results["y"].shape == (2, 2, 4, config.latent_channels)
    assert results["symbols"].shape == results["y"].shape
    assert results["recon"].shape == image.shape
    assert bool(jnp.isfinite(results["recon"]).all())
    assert results["training"].logits.shape == (2, 4, 8, config.vqgan.num_codes)


def test_images_of_a_batch_are_independent(results, config, variables, image, noise):
    swapped = run(config, variables, image[::-1], RATE[::-1], noise)
    for name in ("tokens", "y", "y_hat", "recon"):
        ours, theirs = results[name], swapped[name]
        np.testing.assert_allclose(
            ours, jnp.roll(theirs, len(ours) // 2, axis=0), rtol=1e-4, atol=1e-4
        )


def test_rate_changes_the_latent_and_the_picture(config, variables, image, noise):
    same = jnp.concatenate([image[:1], image[:1]])
    results = run(config, variables, same, RATE, noise)
    for name in ("y", "y_hat", "recon"):
        assert bool(jnp.any(results[name][0] != results[name][1])), name
    # The tokens are those of the image alone.
    np.testing.assert_array_equal(*jnp.split(results["tokens"], 2))


def test_training_forward_is_the_codec(results):
    np.testing.assert_allclose(
        results["training_recon"], results["recon"], rtol=1e-4, atol=1e-4
    )
    np.testing.assert_array_equal(results["training"].tokens.indices, results["tokens"])


def test_noise_changes_the_rate_only(results):
    still, noisy = results["training"], results["noisy"]
    assert still.bits.shape == (2,)
    np.testing.assert_array_equal(still.bits, still.bits_rounded)
    np.testing.assert_array_equal(noisy.bits_rounded, still.bits_rounded)
    assert bool(jnp.all(noisy.bits != still.bits))
    np.testing.assert_array_equal(noisy.logits, still.logits)


@pytest.mark.slow
def test_every_parameter_of_the_codec_has_a_gradient(config, variables, image, noise):
    def loss(variables):
        def forward(model, image):
            out = model(image, RATE, noise)
            vq = out.tokens.codebook_loss + out.tokens.commitment_loss
            recon = model.reconstruct(out.latent)
            return jnp.mean(recon**2) + jnp.mean(out.bits) + vq

        return DLF(config).apply(variables, image, method=forward)

    gradient = jax.jit(jax.grad(loss))(variables)["params"]
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        name = jax.tree_util.keystr(path)
        assert bool(jnp.isfinite(leaf).all()), name
        # The rest of the VQGAN only makes training targets.
        is_target = "['vqgan']['encoder']" in name or "quant_conv']" in name
        is_target &= "post_quant_conv" not in name
        assert is_target == (not np.any(leaf)), name


def test_tokenizer_shares_the_semantic_branch(config, image):
    model = SemanticTokenizer(config)
    shapes = jax.eval_shape(model.init, jax.random.key(0), image)["params"]
    codec = jax.eval_shape(DLF(config).init, jax.random.key(0), image, RATE)["params"]
    paths = dict(jax.tree_util.tree_leaves_with_path(codec))
    shared = jax.tree_util.tree_leaves_with_path(shapes["codec"])
    assert shared
    for path, leaf in shared:
        assert paths[path].shape == leaf.shape
