"""Parameters from earlier stages, and those that a stage needs."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.errors import UserError
from dlf_jax.models.variants import VARIANTS
from dlf_jax.paths import flatten
from dlf_jax.training.losses.table import LossConfig
from dlf_jax.training.run import donors
from dlf_jax.training.run.donors import (
    load_donors,
    restore_matching,
    restore_matching_moments,
)
from dlf_jax.training.stages.rules import DECODER, FROZEN, TRAINED
from dlf_jax.training.stages.table import STAGES
from dlf_jax.training.step.optimizer import OptimizerConfig, make_optimizer


@pytest.fixture
def inherit_from(shapes, monkeypatch):
    """Start of a stage from stages, which leave what they have, or by ``-x`` lack x."""

    def read(source):
        stage, _, lacking = source.partition("-")
        left = {k: v for k, v in shapes[stage].items() if k != lacking}
        return jax.tree.map(lambda x: np.zeros(x.shape), left), None, "step 1"

    monkeypatch.setattr(donors, "_read", read)

    def start(stage, init_from, *, tune_semantic=False):
        needs = STAGES[stage].needs_for(tune_semantic=tune_semantic)
        return load_donors(stage, init_from, shapes[stage], needs)

    return start


@pytest.mark.parametrize("tune_semantic", [False, True])
@pytest.mark.parametrize("stage", [name for name in STAGES if name != "vqgan"])
def test_a_stage_without_donors_says_which_stage_makes_what_is_missing(
    inherit_from, stage, tune_semantic
):
    makers = {"tokenizer": "vqgan", "align_warmup": "vqgan", "align": "vqgan"}
    makers |= {"decoder": "pixel", "context": "pixel"}
    match = (
        f"^stage {stage} needs .*vqgan.* of stage {makers.get(stage, 'align')}.*none"
    )
    with pytest.raises(UserError, match=match):
        inherit_from(stage, "", tune_semantic=tune_semantic)
    found = inherit_from(stage, "none", tune_semantic=tune_semantic)
    leaves = jax.tree.leaves(found.params)
    assert all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves)


@pytest.mark.parametrize("init_from", ["", "none", "vqgan", ","])
def test_the_first_stage_needs_nothing(inherit_from, init_from):
    inherit_from("vqgan", init_from)


@pytest.mark.parametrize(
    ("stage", "init_from", "tune_semantic", "missing"),
    [
        ("tokenizer", "vqgan", False, None),
        ("align", "vqgan,tokenizer", False, None),
        ("align", "tokenizer", False, None),  # which has the VQGAN it was trained with
        ("align", "align_warmup", False, None),
        ("align", "vqgan", True, None),  # the semantic branch is trained
        ("align", "vqgan", False, "decoder, encoder, tokens of stage tokenizer, which"),
        ("align", "tokenizer-vqgan", True, "vqgan of stage vqgan, which these donors"),
        ("align_warmup", "tokenizer-tokens", False, "needs tokens of stage tokenizer"),
        ("pixel", "align", True, None),
        ("pixel", "align-context", True, None),  # a new context model is trained
        ("pixel", "vqgan,tokenizer", True, "needs fusion of stage align, which"),
        ("pixel", "vqgan,tokenizer,none", True, None),
        ("pixel_512", "pixel", False, None),
        ("tune_semantic", "pixel_512", True, None),
        ("context", "pixel", True, None),
        ("context", "pixel-context", True, "needs context of stage pixel"),
        ("context", "vqgan,tokenizer", True, "needs .*analysis.* of stage pixel"),
        ("decoder", "context", True, None),
        ("decoder", "align-context", True, "needs context of stage pixel"),
    ],
)
def test_needs(inherit_from, stage, init_from, tune_semantic, missing):
    if missing is None:
        inherit_from(stage, init_from, tune_semantic=tune_semantic)
        return
    with pytest.raises(UserError, match=missing):
        inherit_from(stage, init_from, tune_semantic=tune_semantic)


def test_needs_are_parameters_of_the_stage(shapes):
    for name, stage in STAGES.items():
        for pattern, maker in stage.needs + (stage.tune_semantic_needs or ()):
            paths = flatten(shapes[name])
            assert any(re.fullmatch(pattern, path) for path in paths), pattern
            assert maker in STAGES


def test_models_are_donors_of_the_stages_after_align():
    config = VARIANTS["dlf-nano"]
    image = jnp.zeros((1, config.tile_size, config.tile_size, 3))
    task = STAGES["pixel"].task(config, LossConfig())
    shapes = jax.eval_shape(task.init, jax.random.key(0), image)
    for stage in ("pixel", "context", "decoder"):
        needs = STAGES[stage].needs_for(tune_semantic=True)
        found = load_donors(stage, "dlf-nano", shapes, needs)
        assert found.opt_state is None
        assert found.reports[0].endswith("left alone: 56 of vqgan")
    with pytest.raises(
        UserError, match="align needs vqgan of stage vqgan, which these"
    ):
        load_donors("align", "dlf-nano", shapes, STAGES["align"].needs)


def test_equal_paths_and_shapes_are_restored():
    params = {"a": {"x": jnp.zeros(2), "y": jnp.zeros(3)}, "b": {"z": jnp.zeros(1)}}
    donor = {"a": {"x": np.ones(2), "y": np.ones(4)}, "c": np.ones(1)}
    merged, report = restore_matching(params, donor)
    np.testing.assert_array_equal(merged["a"]["x"], [1, 1])
    np.testing.assert_array_equal(merged["a"]["y"], [0, 0, 0])
    assert report.taken == 1
    assert str(report) == "took over 1 arrays; left alone: 1 of a, 1 of b"


def test_moments_of_whole_groups_are_restored_and_new_groups_start_fresh():
    config = OptimizerConfig(
        lr=1.0, warmup_steps=0, final_factor=1.0, clip_norm=0.0, b1=0.5,
        b2=0.9, schedule="constant",
    )  # fmt: skip
    before = {"context": jnp.ones(2), "vqgan": jnp.ones(3)}
    rules = (("context", TRAINED), ("vqgan", FROZEN))
    tx = make_optimizer(config, 9, before, rules)
    moving = {"context": jnp.ones(2)}
    donor = tx.init(moving)
    for _ in range(2):
        _, donor = tx.update({"context": jnp.full(2, 3.0)}, donor, moving)

    tx = make_optimizer(config, 9, before, (("context", TRAINED), ("vqgan", DECODER)))
    state, report = restore_matching_moments(tx.init(before), donor)
    assert str(report) == "took over 3 arrays; left alone: 3 of decoder"
    moments = state[0].inner_states
    adam = moments[TRAINED].inner_state
    np.testing.assert_allclose(adam.mu["context"], 3 * (1 - 0.5**2))
    assert adam.count == 2 and moments[DECODER].inner_state.count == 0
    assert not moments[DECODER].inner_state.mu["vqgan"].any()


def test_a_foreign_checkpoint_is_an_error():
    with pytest.raises(UserError, match="no parameter of this stage"):
        restore_matching({"a": jnp.zeros(2)}, {"b": np.ones(2)})
