"""The training stages against the official ones: losses, gradients and updates."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax.tree_utils import tree_get_all_with_path

from dlf_jax.checkpoints.name_map import convert, match_names, to_official
from dlf_jax.checkpoints.official_names import CONV, NORM
from dlf_jax.entropy.gaussian import noisy_bits
from dlf_jax.models.dlf import DLF
from dlf_jax.paths import flatten, nest
from dlf_jax.perceptual.discriminator import PatchDiscriminator
from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.training.losses.table import LossConfig
from dlf_jax.training.stages import codec
from dlf_jax.training.stages.rules import trained_paths
from dlf_jax.training.stages.table import STAGES
from dlf_jax.training.step.inputs import StepInputs
from dlf_jax.training.step.optimizer import OptimizerConfig, make_optimizer
from dlf_jax.training.step.state import create_state
from dlf_jax.training.step.train_step import StepConfig, make_train_step

_LOSS = LossConfig(perceptual_crop=256)  # the released weights of the terms
# Last digits decide on which side of a kink of L1, LPIPS or the discriminator a value
# lies, so that gradients agree to this only (docs/architecture.md#numerics).
_KINKS = 3e-2

# Official names of what only training has, in the manner of
# dlf_jax.checkpoints.official_names.
_STATISTICS = (("mean", "mean", "c -> c"), ("var", "var", "c -> c"))
_DISCRIMINATOR = (
    ("main.0.", "params/conv_0/", CONV),
    *(
        row
        for i in (1, 2, 3)
        for row in (
            (f"main.{3 * i - 1}.", f"params/conv_{i}/", CONV),
            (f"main.{3 * i}.", f"params/norm_{i}/", NORM),
            (f"main.{3 * i}.running_", f"batch_stats/norm_{i}/", _STATISTICS),
        )
    ),
    ("main.11.", "params/conv_out/", CONV),
)
_LPIPS = (
    *(
        (f"net.slice{stage}.{index}.", f"conv_{i}/", CONV)
        for i, (stage, index) in enumerate(
            [(1, 0), (1, 2), (2, 5), (2, 7), (3, 10), (3, 12), (3, 14)]
            + [(4, 17), (4, 19), (4, 21), (5, 24), (5, 26), (5, 28)]
        )
    ),
    ("lin{i}.model.1.weight", "head_{i}/scale", "1 c 1 1 -> c"),
)


def entries(module, table, **kwargs):
    """Official names of the arrays of a network that takes images."""
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    images = [image] * (2 if isinstance(module, LPIPS) else 1)
    variables = jax.eval_shape(
        lambda key, *args: module.init(key, *args, **kwargs), jax.random.key(0), *images
    )
    if isinstance(module, LPIPS):
        variables = variables["params"]
    return match_names(table, {p: x.shape for p, x in flatten(variables).items()})


def part_of(tiny, prefix, names):
    return {name: tiny.state[prefix + name] for name in names}


@pytest.fixture(scope="module")
def discriminator(tiny):
    """The network, its official names, and its variables."""
    module = PatchDiscriminator(8)
    names = entries(module, _DISCRIMINATOR, train=True)
    state = part_of(tiny, "img_loss.discriminator.", names)
    return module, names, jax.tree.map(jnp.asarray, convert(state, names))


@pytest.fixture(scope="module")
def lpips(tiny):
    """The network and its parameters."""
    module = LPIPS("vgg", channel_divisor=8)
    names = entries(module, _LPIPS)
    state = part_of(tiny, "img_loss.perceptual_loss.", names)
    return module, jax.tree.map(jnp.asarray, convert(state, names))


def assert_running(names, variables, golden, prefix):
    """Compares running statistics with stored ones."""
    leaves = flatten(variables)
    stored = {n: golden[f"{prefix}{n}"] for n in names if "running" in n}
    assert len(stored) == 6
    for name, value in stored.items():
        np.testing.assert_allclose(
            leaves[names[name].path], value, rtol=2e-5, atol=1e-6, err_msg=name
        )


def assert_gradients(found, stored, norms, rtol):
    """Compares gradients by official name, except rounding noise of exact zeros.

    Args:
      found: all of ours.
      stored: some of the official ones.
      norms: norms of all of the official ones.
      rtol: bound on relative differences.
    """
    assert len(stored) > 10 and stored.keys() <= norms.keys() <= found.keys()
    for name, norm in norms.items():
        if norm > 1e-5:
            ours = np.linalg.norm(found[name])
            np.testing.assert_allclose(ours, norm, rtol=rtol, err_msg=name)
            if name in stored:
                error = np.linalg.norm(found[name] - stored[name]) / norm
                assert error <= rtol, name


def stored_gradients(tiny, file, prefix):
    with np.load(tiny.folder / f"{file}.npz") as arrays:
        return {
            name.removeprefix(prefix): arrays[name]
            for name in arrays.files
            if name.startswith(prefix)
        }


def train(tiny, stage, task, params, inputs, num_steps):
    """Updates by the train step itself, with the released optimizer.

    Returns:
      state after the first update, metrics of all updates, gradients of the first.
    """
    adversarial = "discriminator" in params
    rules = STAGES[stage].rules_for(tune_semantic=False, adversarial=adversarial)
    optimizer = OptimizerConfig(
        lr=4e-5, warmup_steps=0, final_factor=1.0, clip_norm=0.0, b1=0.5,
        b2=0.9,
    )  # fmt: skip
    tx = make_optimizer(optimizer, num_steps, params, rules)
    trained = trained_paths(params, rules)
    step = jax.jit(make_train_step(task, tx, trained, StepConfig()))
    state = create_state(params, tx, trained=trained, codebooks=(), use_ema=False)
    batch = np.asarray(np.rint((tiny.image("T") + 1) * 127.5), np.uint8)
    first, found = step(state, inputs, batch)
    state, metrics = first, [found]
    for _ in range(1, num_steps):
        state, found = step(state, inputs, batch)
        metrics.append(found)
    # After one update, Adam's first moment is the gradient times 1 - b1.
    gradients = flatten(jax.tree.map(jnp.zeros_like, params))
    for _, group in tree_get_all_with_path(first.opt_state, "mu"):
        for path, moment in flatten(group).items():
            if not isinstance(moment, optax.MaskedNode):
                gradients[path] = moment / (1 - optimizer.b1)
    return first, metrics, nest(gradients)


def test_discriminator(tiny, discriminator):
    module, names, variables = discriminator
    golden = tiny.golden("vqgan_disc_lpips")
    for case in "AB":
        logits = module.apply(variables, tiny.image(case), train=False)
        np.testing.assert_allclose(logits, golden[f"disc.eval.{case}"], atol=5e-5)
    logits, updates = module.apply(
        variables, tiny.image("T"), train=True, mutable=["batch_stats"]
    )
    np.testing.assert_allclose(logits, golden["disc.train.T"], atol=5e-5)
    assert_running(names, updates, golden, "disc.after_train_T.")


def test_lpips_of_an_image_and_its_mirror_image(tiny, lpips):
    module, params = lpips
    image = tiny.image("T")
    found = module.apply({"params": params}, image, image[:, :, ::-1])
    expected = tiny.golden("vqgan_disc_lpips")["lpips.T_vs_hflip"].ravel()
    np.testing.assert_allclose(found, expected, rtol=2e-5)


@pytest.mark.slow
def test_alignment_stage(tiny, given_noise):
    """Loss, gradients and three updates, through the train step itself."""
    golden = tiny.golden("train_feat")
    given_noise(golden["noise"])
    task = STAGES["align"].task(tiny.config, _LOSS)
    inputs = StepInputs(jnp.asarray([golden["lambda"]]))
    _, metrics, gradients = train(tiny, "align", task, tiny.params, inputs, 3)
    curve = [found["loss"] for found in metrics]
    np.testing.assert_allclose(curve, golden["loss_curve_adam_lr4e-5"], rtol=2e-4)

    for ours, theirs, scale in (
        ("latent", "mse", 1),
        ("cross_entropy", "ce", 1),
        ("vq", "vq", 1),
        ("rate", "bpp_noise", golden["lambda"]),
    ):
        np.testing.assert_allclose(
            metrics[0][ours], scale * golden[theirs], rtol=2e-5, err_msg=ours
        )
    gradients = to_official(gradients, tiny.config)
    stored = stored_gradients(tiny, "train_feat", "grad/")
    norms = json.loads((tiny.folder / "grad_norms.json").read_text())["feat"]
    assert_gradients(gradients, stored, norms["by_parameter"], 2e-4)


@pytest.mark.slow
def test_official_training_rate_of_rounded_symbols(tiny):
    """The official training logs the training formula on rounded symbols."""
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


@pytest.mark.slow
def test_image_stage(tiny, given_noise, discriminator, lpips):
    """All terms, the adaptive weight, and the gradients of both players."""
    golden = tiny.golden("train_pix")
    given_noise(golden["noise"])
    _, names, variables = discriminator
    config = LossConfig(
        adversarial=float(golden["disc_weight"]),
        discriminator_channels=8,
        perceptual_crop=256,
        perceptual_channel_divisor=8,
    )
    task = STAGES["pixel"].task(tiny.config, config)
    inputs = StepInputs(jnp.asarray([golden["lambda"]]), {"lpips_vgg": lpips[1]})

    params = tiny.params | {"discriminator": variables}
    state, (found,), gradients = train(tiny, "pixel", task, params, inputs, 1)
    for ours, theirs in (
        ("l1", "l1"),
        ("lpips_vgg", "p_loss"),
        ("vq", "vq"),
        ("generator", "g_loss"),
        ("discriminator", "disc_loss"),
        ("logits/real", "logits_real"),
        ("logits/fake", "logits_fake"),
    ):
        np.testing.assert_allclose(found[ours], golden[theirs], rtol=5e-5, err_msg=ours)
    # A ratio of two gradients, which is less exact than the terms of a loss.
    np.testing.assert_allclose(
        found["adversarial_weight"], golden["d_weight"], rtol=1e-4
    )
    np.testing.assert_allclose(
        found["loss"], golden["loss"] + golden["disc_loss"], rtol=2e-5
    )
    assert_running(names, state.params["discriminator"], golden, "disc_after_disc.")

    norms = json.loads((tiny.folder / "grad_norms.json").read_text())
    disc = flatten(gradients.pop("discriminator"))
    disc = {
        name: entry.layout.official(np.asarray(disc[entry.path]))
        for name, entry in names.items()
    }
    stored = stored_gradients(tiny, "train_pix", "disc_grad/")
    assert_gradients(disc, stored, norms["disc"], _KINKS)
    gradients = to_official(gradients, tiny.config)
    stored = stored_gradients(tiny, "train_pix", "grad/")
    assert_gradients(gradients, stored, norms["pix"]["by_parameter"], _KINKS)


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


@pytest.fixture
def given_noise(monkeypatch):
    """Replaces the rounding noise of the training forward."""

    def use(noise):
        def fixed(key, shape):
            if shape[-1] == 0:  # texture, which the released VQGAN does without
                return jnp.zeros(shape)
            assert shape == noise.shape
            return jnp.asarray(noise)

        monkeypatch.setattr(codec, "uniform_noise", fixed)

    return use
