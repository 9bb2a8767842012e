"""Validation of tiny networks against the same thing computed by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import SingleDeviceSharding

from dlf_jax.metrics.psnr import psnr
from dlf_jax.models.dlf import DLF
from dlf_jax.models.vqgan import VQGAN
from dlf_jax.ops.pixels import to_signed
from dlf_jax.training.losses.table import LossConfig
from dlf_jax.training.run.validation import ValidationResult, make_validate
from dlf_jax.training.stages.table import STAGES
from dlf_jax.training.step.inputs import StepInputs


@pytest.fixture(scope="module")
def photos():
    """Three photos of noise, an odd number."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


def _validate(stage, sizes, photos, params):
    here = SingleDeviceSharding(jax.devices()[0])
    validate = make_validate(
        STAGES[stage].task(sizes, LossConfig()),
        photos,
        lambda params, inputs, batch: {"loss": inputs.lmbda[0] * batch.max()},
        batch_size=2,
        sharded=here,
        replicated=here,
        compiler_options={},
    )
    return validate(params, StepInputs(np.full(1, 0.5)))


def _uint8(image):
    return np.asarray(jnp.round(jnp.clip((image + 1) * 127.5, 0, 255)), np.uint8)


def test_vqgan_is_judged_by_its_images(tiny_config, photos):
    vqgan = VQGAN(tiny_config.vqgan)
    image = to_signed(jnp.asarray(photos))
    params = jax.jit(vqgan.init)(jax.random.key(0), image)["params"]
    found = _validate("vqgan", tiny_config, photos, {"vqgan": params})
    recon = _uint8(jax.jit(vqgan.apply)({"params": params}, image).recon)
    expected = float(np.mean(psnr(photos, recon)))
    assert set(found.metrics) == {"loss", "psnr/0"} and found.bpp == []
    assert found.metrics["psnr/0"] == pytest.approx(expected, abs=0.01)
    assert sorted(found.pictures) == ["photo_0", "photo_1", "photo_2"]
    shown = found.pictures["photo_1"]
    np.testing.assert_array_equal(shown[:, :16], photos[1])
    assert abs(shown[:, 16:].astype(int) - recon[1]).max() <= 1


@pytest.mark.slow
def test_codec_is_judged_at_every_rate(tiny_config, photos):
    model = DLF(tiny_config)
    image = to_signed(jnp.asarray(photos))

    def everything(module, rate):
        out = module(image, rate)
        return out.bits, module.reconstruct(out.latent)

    def init():
        rate = jnp.zeros(3, jnp.int32)
        return model.init(jax.random.key(0), rate, method=everything)["params"]

    params = jax.jit(init)()
    # Scales beside which rounded symbols cost something, and differ between rates.
    params["context"]["prior_vector"] += jnp.array([[0.0], [1.0]])
    found = _validate("pixel", tiny_config, photos, {**params, "discriminator": {}})
    assert set(found.metrics) == {"loss", "psnr/0", "psnr/1", "bpp/0", "bpp/1"}
    apply = jax.jit(partial(model.apply, method=everything))
    for rate in (0, 1):
        variables = {"params": params}
        bits, _ = apply(variables, np.full(3, rate))
        assert found.bpp[rate] == pytest.approx(float(bits.mean()) / 256, rel=1e-4)
        assert found.metrics[f"bpp/{rate}"] == found.bpp[rate] > 0
    assert found.bpp[0] != found.bpp[1]
    assert found.pictures["photo_2"].shape == (16, 3 * 16, 3)


def test_without_images_there_is_the_loss_alone(tiny_config, photos):
    found = _validate("tokenizer", tiny_config, photos, {})
    assert found == ValidationResult(metrics={"loss": 0.5 * 255})


def test_nothing_is_found_without_photos(tiny_config, photos):
    assert _validate("pixel", tiny_config, photos[:0], {}) == ValidationResult()
