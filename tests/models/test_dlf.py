import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.entropy.gaussian import rounded_bits
from dlf_jax.models.dlf import DLF, SemanticTokenizer

RATE = jnp.array([0, 1])


@functools.partial(jax.jit, static_argnums=0)
def transcode(config, variables, image, rate):
    """The codec in its pieces, as encoder and decoder use them."""

    def pieces(model, image, rate):
        analysis = model.analyze(image, rate)
        prior = model.prior(rate, analysis.y.shape[1:3])
        coded = model.context(analysis.y, prior)
        return {
            "tokens": analysis.tokens,
            "y": analysis.y,
            "y_hat": coded.y_hat,
            "bits": jnp.sum(rounded_bits(coded.symbols, coded.scales), (1, 2, 3)),
            "recon": model.synthesize(analysis.tokens, coded.y_hat, rate),
        }

    return DLF(config).apply(variables, image, rate, method=pieces)


@functools.partial(jax.jit, static_argnums=0)
def train_forward(config, variables, image, rate, noise):
    """The training forward, and the picture of its latent."""

    def forward(model, image, rate, noise):
        out = model(image, rate, noise)
        return out, model.reconstruct(out.latent)

    return DLF(config).apply(variables, image, rate, noise, method=forward)


@pytest.fixture(scope="module")
def noise():
    values = np.random.default_rng(2).uniform(-0.5, 0.5, (2, 2, 4, 4))
    return jnp.asarray(values, jnp.float32)


@pytest.fixture(scope="module")
def transcoded(config, variables, image):
    return transcode(config, variables, image, RATE)


@pytest.fixture(scope="module")
def trained(config, variables, image, noise):
    return train_forward(config, variables, image, RATE, noise)


def test_shapes_of_a_non_square_batch(transcoded, trained, image, config):
    assert transcoded["tokens"].shape == (4, config.num_tokens)
    assert transcoded["y"].shape == (2, 2, 4, config.latent_channels)
    assert transcoded["recon"].shape == image.shape
    assert bool(jnp.isfinite(transcoded["recon"]).all())
    out, recon = trained
    assert out.logits.shape == (2, 4, 8, config.vqgan.num_codes)
    assert out.bits.shape == out.bits_rounded.shape == (2,)
    assert recon.shape == image.shape


def test_images_of_a_batch_are_independent(transcoded, config, variables, image):
    swapped = transcode(config, variables, image[::-1], RATE[::-1])
    for name, ours in transcoded.items():
        theirs = jnp.roll(swapped[name], len(ours) // 2, axis=0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_rate_changes_the_latent_and_the_picture(config, variables, image):
    same = jnp.concatenate([image[:1], image[:1]])
    results = transcode(config, variables, same, RATE)
    for name in ("y", "y_hat", "bits", "recon"):
        assert bool(jnp.any(results[name][0] != results[name][1])), name
    # The tokens are those of the image alone.
    np.testing.assert_array_equal(*jnp.split(results["tokens"], 2))


def test_training_forward_is_the_codec(transcoded, trained):
    out, recon = trained
    np.testing.assert_array_equal(out.tokens.indices, transcoded["tokens"])
    np.testing.assert_allclose(out.bits_rounded, transcoded["bits"], rtol=1e-4)
    np.testing.assert_allclose(recon, transcoded["recon"], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_stem_adds_to_the_detail_branch_and_nothing_at_first(config, image):
    stemmed = dataclasses.replace(config, stem_channels=2)

    @functools.partial(jax.jit, static_argnums=0)
    def analyze(config, params, encoder):
        variables = {"params": params | {"encoder": encoder}}
        return DLF(config).apply(variables, image, RATE, method=DLF.analyze)

    @jax.jit
    def init():
        return DLF(stemmed).init(jax.random.key(0), image, RATE, method=DLF.analyze)

    params = init()["params"]
    fresh = params["encoder"]
    plain = {name: part for name, part in fresh.items() if "stem" not in name}
    loud = fresh | {"stem_out": jax.tree.map(jnp.ones_like, fresh["stem_out"])}
    without = analyze(config, params, plain)
    silent, loud = (analyze(stemmed, params, encoder) for encoder in (fresh, loud))
    np.testing.assert_allclose(silent.y, without.y, atol=1e-5)
    assert bool(jnp.any(jnp.abs(loud.y - without.y) > 1e-3))
    for analysis in (silent, loud):  # fresh interactions lead nothing to the tokens
        np.testing.assert_array_equal(analysis.tokens, without.tokens)


def test_noise_changes_the_rate_only(trained, config, variables, image, noise):
    noisy = trained[0]
    still, _ = train_forward(config, variables, image, RATE, jnp.zeros_like(noise))
    assert bool(jnp.all(noisy.bits != still.bits))
    np.testing.assert_array_equal(noisy.bits_rounded, still.bits_rounded)
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
