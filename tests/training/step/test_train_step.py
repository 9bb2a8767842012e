"""One update of every stage of a tiny codec."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.ops.pixels import to_signed
from dlf_jax.paths import flatten, nest
from dlf_jax.training.stages.rules import FROZEN, match_rules, trained_paths
from dlf_jax.training.stages.table import STAGES, trained_codebooks
from dlf_jax.training.step.inputs import StepInputs
from dlf_jax.training.step.optimizer import (
    OptimizerConfig,
    make_optimizer,
    make_schedule,
)
from dlf_jax.training.step.randomness import balanced_rates
from dlf_jax.training.step.state import create_state
from dlf_jax.training.step.train_step import (
    StepConfig,
    _by_rate,
    make_train_step,
    mean_metrics,
)

_OPTIMIZER = OptimizerConfig(
    lr=1e-2, warmup_steps=0, final_factor=0.1, clip_norm=1.0, b1=0.9, b2=0.99
)


def _random_params(init, *images):
    """Random parameters; drawing them here is faster than compiling the real init."""
    shapes = flatten(jax.eval_shape(init, jax.random.key(0), *images))
    rng = np.random.default_rng(0)

    def draw(path, shape):
        values = rng.normal(0.0, 0.2, shape)
        if path.endswith(("scale", "gain", "layer_scale", "prior_vector")):
            values = 1.0 + values
        return jnp.asarray(0.0 * values if path.endswith("mask") else values, "float32")

    return nest({path: draw(path, leaf.shape) for path, leaf in shapes.items()})


_BPP = {f"{kind}/{rate}" for kind in ("bpp", "bpp_noisy") for rate in (0, 1)}
_CASES = {
    "vqgan": {"l1", "lpips_vgg", "vq", "codes/vqgan"},
    "tokenizer": {"cross_entropy", "vq", "codes/tokens"},
    "align": {"latent", "cross_entropy", "rate", "vq", *_BPP},
    "context": {"rate", "vq", *_BPP},
    "pixel": {"l1", "lpips_vgg", "rate", "vq", "codes/tokens", *_BPP},
}


def _setup(name, tune_semantic, tiny_config, loss_config, lpips_params, **changes):
    """Rules, random state, step and its other arguments for one stage."""
    stage = STAGES[name]
    adversarial = loss_config.adversarial > 0
    rules = stage.rules_for(tune_semantic=tune_semantic, adversarial=adversarial)
    task = stage.task(tiny_config, loss_config)
    params = _random_params(task.init, jnp.zeros((1, 16, 16, 3)))
    tx = make_optimizer(_OPTIMIZER, 10, params, rules)
    codebooks = trained_codebooks(params, stage, rules)
    trained = trained_paths(params, rules)
    state = create_state(params, tx, trained=trained, codebooks=codebooks, use_ema=True)
    config = StepConfig(ema_decay=0.9, revive_every=100, lmbda_warmup=1, **changes)
    step = make_train_step(task, tx, trained, config)
    batch = jax.random.randint(jax.random.key(0), (2, 32, 32, 3), 0, 256)
    networks = {"lpips_vgg": lpips_params} if task.networks else {}
    inputs = StepInputs(jnp.array([2.0, 1.0]), networks)
    return rules, state, step, inputs, batch.astype(jnp.uint8)


@pytest.fixture(scope="module")
def prepare(tiny_config, loss_config, lpips_params):
    """`_setup` of a stage, with a compiled step that tests share."""

    @functools.cache
    def prepare(name, tune_semantic):
        loss = loss_config
        if name == "adversarial":
            name = "pixel"
            loss = dataclasses.replace(loss, adversarial=0.8, discriminator_channels=4)
        rules, state, step, *args = _setup(
            name, tune_semantic, tiny_config, loss, lpips_params
        )
        return rules, state, jax.jit(step), *args

    return prepare


@pytest.mark.parametrize(
    "name",
    [
        "vqgan",
        "tokenizer",
        pytest.param("align", marks=pytest.mark.slow),
        "context",
        pytest.param("pixel", marks=pytest.mark.slow),
    ],
)
def test_step_keeps_the_structure_of_the_state(name, prepare):
    rules, state, step, *args = prepare(name, name == "pixel")
    new, metrics = jax.eval_shape(step, state, *args)
    norms = {
        f"gradient/{path.split('/')[0]}" for path in trained_paths(state.params, rules)
    }
    assert set(metrics) == {"loss"} | _CASES[name] | norms
    like = jax.eval_shape(lambda x: x, state)
    assert jax.tree.structure(new) == jax.tree.structure(like)
    for a, b in zip(jax.tree.leaves(new), jax.tree.leaves(like), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)


@pytest.mark.parametrize(
    "stage", ["tokenizer", pytest.param("align", marks=pytest.mark.slow)]
)
def test_uniformity_is_weighted_left_out_at_0_and_moves_the_encoder(
    stage, tiny_config, loss_config
):
    image = jax.random.uniform(jax.random.key(1), (2, 32, 32, 3), minval=-1)

    def outcome(params, weight):
        config = dataclasses.replace(loss_config, uniformity=weight)
        task = STAGES[stage].task(tiny_config, config)

        # By the tokens alone: gradients of all weights take long to compile.
        def loss(latent_tokens):
            semantic = params["encoder"]["semantic"] | {"latent_tokens": latent_tokens}
            encoder = params["encoder"] | {"semantic": semantic}
            random = task.sample(jax.random.key(3), image.shape)
            changed = params | {"encoder": encoder}
            found = task.loss(changed, StepInputs(jnp.ones(2)), image, random)
            return found.loss, found.metrics

        tokens = params["encoder"]["semantic"]["latent_tokens"]
        (value, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(tokens)
        return value, metrics, gradient

    # In one program, which computes once what both have in common.
    both = jax.jit(lambda params: (outcome(params, 0.0), outcome(params, 50.0)))
    task = STAGES[stage].task(tiny_config, loss_config)
    params = _random_params(task.init, image)
    (off, without, still), (on, metrics, moved) = both(params)
    assert set(metrics) == set(without) | {"uniformity"}
    assert metrics["uniformity"] < -1e-4
    np.testing.assert_allclose(on - off, 50.0 * metrics["uniformity"], rtol=1e-3)
    assert np.max(np.abs(moved - still)) > 1e-6


def test_perceptual_terms_are_weighted_and_left_out_at_0(tiny_config, loss_config):
    image = jax.random.uniform(jax.random.key(1), (2, 32, 32, 3), minval=-1)

    def outcome(**weights):
        config = dataclasses.replace(loss_config, **weights)
        task = STAGES["vqgan"].task(tiny_config, config)
        networks = {name for name in weights if weights[name]} - {"blockiness"}
        assert set(task.networks) == networks

        networks = {
            name: _random_params(network.init, image, image)["params"]
            for name, network in task.networks.items()
        }
        params = _random_params(task.init, image)
        random = task.sample(jax.random.key(3), image.shape)
        return task.loss(params, StepInputs(jnp.ones(2), networks), image, random)

    terms = {"lpips_vgg": 2.0, "lpips_alex": 3.0, "dists": 4.0, "blockiness": 5.0}
    # In one program, which computes once what both have in common.
    none, every = jax.jit(lambda: (outcome(lpips_vgg=0.0), outcome(**terms)))()
    assert set(every.metrics) == set(none.metrics) | set(terms)
    assert all(every.metrics[name] > 1e-4 for name in terms)
    added = sum(weight * every.metrics[name] for name, weight in terms.items())
    np.testing.assert_allclose(every.loss, none.loss + added, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "tune_semantic"),
    [
        pytest.param("vqgan", False, marks=pytest.mark.slow),
        pytest.param("tokenizer", False, marks=pytest.mark.slow),
        ("context", False),
        pytest.param("decoder", True, marks=pytest.mark.slow),
        pytest.param("align", False, marks=pytest.mark.slow),
        pytest.param("pixel", True, marks=pytest.mark.slow),
        pytest.param("adversarial", False, marks=pytest.mark.slow),
    ],
)
def test_one_step_moves_exactly_the_trained_parameters(name, tune_semantic, prepare):
    rules, state, step, inputs, batch = prepare(name, tune_semantic)
    new, metrics = step(state, inputs, batch)

    assert all(np.isfinite(value).all() for value in metrics.values())
    assert new.step == 1
    labels = flatten(match_rules(state.params, rules))
    before, after = flatten(state.params), flatten(new.params)
    moved = {path for path in before if (before[path] != after[path]).any()}
    trained = {path for path, label in labels.items() if label != FROZEN}
    trained |= {path for path in before if "/batch_stats/" in path}
    assert moved <= trained
    # A bias may have no gradient: that of attention keys never has one.
    stuck = {path for path in trained - moved if "bias" not in path.split("/")[-1]}
    assert not stuck
    ema = flatten(new.ema)
    for path in sorted(moved)[::20]:
        mixed = after[path] + 2 / 11 * (before[path] - after[path])
        np.testing.assert_allclose(ema[path], mixed, rtol=1e-5, atol=1e-6)

    again, _ = step(state, inputs, batch)
    np.testing.assert_array_equal(
        jax.tree.leaves(again.params)[0], jax.tree.leaves(new.params)[0]
    )


def test_schedule_warms_up_and_decays():
    config = OptimizerConfig(
        lr=2.0,
        warmup_steps=10,
        final_factor=0.1,
        clip_norm=1.0,
        b1=0.9,
        b2=0.9,
    )
    schedule = make_schedule(config, 110)
    found = [float(schedule(step)) for step in (0, 5, 10, 60, 110, 200)]
    np.testing.assert_allclose(found, [0, 1, 2, 1.1, 0.2, 0.2], rtol=1e-5)


@pytest.mark.parametrize(
    ("warmup", "expected"), [(0, [2.0, 2.0, 2.0]), (10, [0.0, 1.0, 2.0])]
)
def test_constant_schedule(warmup, expected):
    config = dataclasses.replace(
        _OPTIMIZER, lr=2.0, schedule="constant", warmup_steps=warmup
    )
    schedule = make_schedule(config, 110)
    np.testing.assert_allclose([schedule(i) for i in (0, 5, 110)], expected)


def test_discriminator_is_clipped_by_itself():
    params = {"a": jnp.zeros(1), "d": jnp.zeros(1)}
    rules = (("a", "trained"), ("d", "adversary"))
    config = dataclasses.replace(_OPTIMIZER, lr=1.0, clip_norm=2.0)
    gradients = {"a": jnp.full(1, 100.0), "d": jnp.full(1, 0.5)}

    def moments(config):
        tx = make_optimizer(config, 10, params, rules)
        states = jax.tree.leaves_with_path(tx.update(gradients, tx.init(params))[1])
        mu = {jax.tree_util.keystr(k[-2:]): v for k, v in states}
        return [float(mu[f".mu['{name}']"][0]) / (1 - config.b1) for name in "ad"]

    np.testing.assert_allclose(moments(config), [2.0, 0.5], rtol=1e-5)
    config = dataclasses.replace(config, clip_norm=0.0)
    np.testing.assert_allclose(moments(config), [100.0, 0.5], rtol=1e-5)


def test_schedule_of_a_single_step():
    schedule = make_schedule(_OPTIMIZER, 1)
    assert schedule(0) == pytest.approx(1e-2)


def test_frozen_parameters_have_no_optimizer_state():
    params = {"a": jnp.ones(3), "b": jnp.ones(5)}
    rules = (("a", "trained"), ("b", "frozen"))
    tx = make_optimizer(_OPTIMIZER, 10, params, rules)
    trained = trained_paths(params, rules)
    state = create_state(params, tx, trained=trained, codebooks=(), use_ema=False)
    shapes = [leaf.shape for leaf in jax.tree.leaves(state.opt_state)]
    assert (3,) in shapes and (5,) not in shapes


def test_range_of_network_images():
    found = to_signed(jnp.array([[[[0, 255, 51]]]], jnp.uint8))
    np.testing.assert_allclose(found, [[[[-1.0, 1.0, -0.6]]]], atol=1e-6)


def test_rates_are_spread_over_the_batch():
    rates = jax.vmap(lambda key: balanced_rates(key, 6, 4))
    drawn = np.asarray(rates(jax.random.split(jax.random.key(0), 200)))
    counts = np.stack([(drawn == rate).sum(axis=1) for rate in range(4)], axis=1)
    assert counts.min() == 1 and counts.max() == 2
    share = np.stack([(drawn == rate).mean(axis=0) for rate in range(4)])
    np.testing.assert_allclose(share, 0.25, atol=0.12)


def test_mean_metrics_are_floats():
    found = mean_metrics([{"loss": jnp.float32(1.0)}, {"loss": jnp.float32(3.0)}])
    assert found == {"loss": 2.0}


def test_bpp_is_that_of_the_images_of_a_rate():
    bpp = {"bpp": jnp.array([1.0, 2.0, 6.0])}
    first = _by_rate(bpp, jnp.array([0, 0, 2]), 4)
    second = _by_rate(bpp, jnp.array([2, 2, 0]), 4)
    assert mean_metrics([first]) == {"bpp/0": 1.5, "bpp/2": 6.0}
    assert mean_metrics([first, second]) == {"bpp/0": 3.0, "bpp/2": 3.0}


def test_muon_moves_a_kernel_in_all_directions_alike():
    shapes = {"kernel": (3, 3, 4, 8), "bias": (8,)}
    depthwise = {"kernel": (3, 3, 1, 4)}
    shapes = {"a": {"conv": shapes, "depth_conv": depthwise}}
    rng = np.random.default_rng(0)

    def draw(shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    params, gradients = (
        jax.tree.map(draw, shapes, is_leaf=lambda x: isinstance(x, tuple))
        for _ in range(2)
    )

    wanted = gradients["a"]["conv"]
    wanted["kernel"] *= 0.5 ** jnp.arange(8)

    def update(name):
        config = dataclasses.replace(_OPTIMIZER, name=name, clip_norm=0.0)
        tx = make_optimizer(config, 10, params, (("a/.*", "trained"),))
        return flatten(tx.update(gradients, tx.init(params), params)[0])

    adam, muon = update("adam"), update("muon")
    for path in ("a/conv/bias", "a/depth_conv/kernel"):
        nesterov = 0.9 * 0.1 / (1 - 0.9**2) + 1.0  # at the first step
        np.testing.assert_allclose(muon[path], nesterov * adam[path], rtol=1e-5)
    before, after = (
        np.reshape(x, (36, 8)) for x in (wanted["kernel"], muon["a/conv/kernel"])
    )
    assert np.sum(before * after) < 0
    before, after = (np.linalg.svd(x, compute_uv=False) for x in (before, after))
    assert before[0] > 50 * before[-1] and after[0] < 2 * after[-1]
    root_mean_square = np.linalg.norm(after) / 288**0.5
    np.testing.assert_allclose(root_mean_square, 0.2e-2, rtol=0.2)
