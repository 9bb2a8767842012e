"""The training forward against the official one: losses, rates and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.checkpoints.name_map import to_official
from dlf_jax.entropy.gaussian import noisy_bits
from dlf_jax.models.dlf import DLF


def alignment_terms(model, image, noise):
    """Terms of the first stages' loss (spec §15.3), and the logits."""
    out = model(image, jnp.zeros(len(image), jnp.int32), noise)
    target = model.vqgan.quantize(model.vqgan.encode(image))
    log_probs = jax.nn.log_softmax(out.logits)
    picked = jnp.take_along_axis(log_probs, target.indices[..., None], axis=-1)
    terms = {
        "mse": jnp.mean(jnp.square(out.latent - target.codes)),
        "ce": -jnp.mean(picked),
        "vq": out.tokens.codebook_loss + 0.25 * out.tokens.commitment_loss,
        "bpp_noise": jnp.mean(out.bits) / (image.shape[1] * image.shape[2]),
    }
    return terms, (out.logits, out.latent)


@pytest.mark.slow
def test_alignment_loss_and_gradients(tiny):
    golden = tiny.golden("train_feat")
    weights = {
        "mse": golden["mse_weight"],
        "ce": golden["ce_weight"],
        "vq": golden["vq_weight"],
        "bpp_noise": golden["lambda"],
    }
    image, noise = tiny.image("T"), jnp.asarray(golden["noise"])

    def loss(params):
        terms, outputs = DLF(tiny.config).apply(
            {"params": params}, image, noise, method=alignment_terms
        )
        total = sum(weights[name] * term for name, term in terms.items())
        return total, (terms | {"loss": total}, outputs)

    grad = jax.jit(jax.grad(loss, has_aux=True))
    gradients, (terms, (logits, latent)) = grad(tiny.params)

    for name, term in terms.items():
        np.testing.assert_allclose(term, golden[name], rtol=5e-6, err_msg=name)
    np.testing.assert_allclose(logits, golden["logits"], atol=5e-5)
    np.testing.assert_allclose(latent, golden["vqgan_latent"], atol=2e-5)

    stored = {
        name.removeprefix("grad/"): value
        for name, value in np.load(tiny.folder / "train_feat.npz").items()
        if name.startswith("grad/")
    }
    assert len(stored) > 400
    gradients = to_official(gradients, tiny.config)
    for name, expected in stored.items():
        norm = np.linalg.norm(expected)
        # Smaller ones are rounding noise of exact zeros.
        if norm > 1e-6:
            error = np.linalg.norm(gradients[name] - expected) / norm
            assert error <= 2e-4, name


@pytest.mark.slow
def test_official_training_rate_of_rounded_symbols(tiny):
    """What the official training logs is the training formula, on rounded symbols."""
    golden = tiny.golden("train_feat")
    image = tiny.image("T")

    def code(model, image):
        rate = jnp.zeros(len(image), jnp.int32)
        y = model.analyze(image, rate).y
        return model.context(y, model.prior(rate, y.shape[1:3]))

    model = DLF(tiny.config)
    coded = jax.jit(lambda p: model.apply({"params": p}, image, method=code))(
        tiny.params
    )
    bits = jnp.sum(noisy_bits(coded.symbols, coded.scales)) / len(image)
    bpp = bits / (image.shape[1] * image.shape[2])
    np.testing.assert_allclose(bpp, golden["bpp_hard"], rtol=2e-5)


def test_vqgan_targets(tiny):
    golden = tiny.golden("vqgan_disc_lpips")

    def targets(model, image):
        latent = model.vqgan.encode(image)
        return latent, model.vqgan.quantize(latent)

    model = DLF(tiny.config)
    latent, vq = jax.jit(
        lambda p, image: model.apply({"params": p}, image, method=targets)
    )(tiny.params, tiny.image("B"))
    np.testing.assert_allclose(latent, golden["B.pre_quant"], atol=2e-5)
    np.testing.assert_array_equal(vq.indices, golden["B.indices"])
    np.testing.assert_allclose(vq.quantized, golden["B.quantized"], atol=1e-6)
