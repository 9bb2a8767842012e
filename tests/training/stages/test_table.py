"""Freezing tables and taking over parameters."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from dlf_jax.paths import flatten
from dlf_jax.training.stages.rules import (
    ADVERSARY,
    DECODER,
    FROZEN,
    TRAINED,
    first_match,
    match_rules,
    trained_paths,
)
from dlf_jax.training.stages.table import STAGES, trained_codebooks


def _trained(shapes, stage, tune_semantic):
    rules = STAGES[stage].rules_for(tune_semantic=tune_semantic, adversarial=False)
    labels = flatten(match_rules(shapes[stage], rules))
    return {path for path, label in labels.items() if label != FROZEN}


def test_first_match_wins():
    tree = {"a": {"b": 0, "c": 1}, "d": 2}
    labels = match_rules(tree, (("a/b", FROZEN), ("a/.*|d", TRAINED)))
    assert labels == {"a": {"b": FROZEN, "c": TRAINED}, "d": TRAINED}


def test_uncovered_parameter_is_an_error():
    with pytest.raises(ValueError, match="whether d/e is trained"):
        match_rules({"a": 0, "d": {"e": 1}}, (("a", TRAINED),))


def test_a_rule_must_match_the_whole_path():
    with pytest.raises(ValueError, match="whether ab is trained"):
        match_rules({"ab": 0}, (("a", TRAINED),))


@pytest.mark.parametrize("tune_semantic", [False, True])
@pytest.mark.parametrize("stage", STAGES)
def test_tables_cover_every_parameter(shapes, stage, tune_semantic):
    trained = _trained(shapes, stage, tune_semantic)
    encoder = {p for p in trained if p.startswith(("vqgan/encoder", "vqgan/quant_"))}
    assert bool(encoder) == (stage == "vqgan")


@pytest.mark.parametrize("tune_semantic", [False, True])
@pytest.mark.parametrize("stage", STAGES)
def test_every_rule_has_parameters(shapes, stage, tune_semantic):
    rules = STAGES[stage].rules_for(tune_semantic=tune_semantic, adversarial=False)
    used = {first_match(path, rules) for path in flatten(shapes[stage])}
    assert used == set(rules)


def test_sizes_without_shifted_windows(tiny_config, loss_config):
    names = ("stage", "detail_in", "detail_out", "fusion_in", "fusion")
    model = dataclasses.replace(tiny_config, **{f"num_{n}_blocks": 1 for n in names})
    task = STAGES["align"].task(model, loss_config)
    image = jnp.zeros((1, 16, 16, 3))
    params = jax.eval_shape(task.init, jax.random.key(0), image)
    assert not any(path.endswith("_mask") for path in flatten(params))
    rules = STAGES["align"].rules_for(tune_semantic=True, adversarial=False)
    assert "encoder/detail_embed/kernel" in trained_paths(params, rules)


@pytest.mark.parametrize(
    ("path", "align", "pixel", "tuned"),
    [
        ("encoder/patch_embed/kernel", False, False, True),
        ("encoder/semantic/latent_tokens", False, False, True),
        ("decoder/semantic/mask_token", False, False, True),
        ("tokens/embedding", False, False, True),
        ("encoder/detail_embed/kernel", True, True, True),
        ("encoder/stage_0/cross/semantic_out/kernel", True, True, True),
        ("decoder/upsample/kernel", True, True, True),
        ("analysis/gain", True, True, True),
        ("context/prior_vector", True, True, True),
        ("fusion/head_out/kernel", True, True, True),
        ("encoder/detail_in/block_1/attention/left_right_mask", True, True, False),
        ("fusion/body/block_1/attention/upper_lower_mask", False, False, False),
        ("vqgan/quantizer/embedding", False, True, True),
        ("vqgan/decoder/conv_out/kernel", False, True, True),
        ("vqgan/post_quant_conv/kernel", False, True, True),
        ("vqgan/encoder/conv_in/kernel", False, False, False),
    ],
)
def test_split_of_the_joint_stages(shapes, path, align, pixel, tuned):
    assert path in flatten(shapes["pixel"])
    assert (path in _trained(shapes, "align", False)) == align
    assert (path in _trained(shapes, "pixel", False)) == pixel
    assert (path in _trained(shapes, "pixel", True)) == tuned


def test_the_last_released_pass_trains_all_of_the_codec(shapes):
    """The tokens and the shift masks of the detail branch as well.

    See docs/architecture.md#shift-masks.
    """
    trained = _trained(shapes, "tune_semantic", True)
    frozen = set(flatten(shapes["tune_semantic"])) - trained
    assert _trained(shapes, "pixel_512", False) < trained
    assert {path.split("/")[0] for path in frozen} == {"fusion", "vqgan"}
    assert all(p.endswith("_mask") for p in frozen if p.startswith("fusion"))


def test_the_decoder_stage_moves_nothing_that_files_depend_on(shapes):
    parts = {"/".join(p.split("/")[:2]) for p in _trained(shapes, "decoder", True)}
    assert parts == {"vqgan/decoder", "vqgan/post_quant_conv"}


def test_the_context_stage_moves_the_context_model_alone(shapes):
    parts = {"/".join(p.split("/")[:2]) for p in _trained(shapes, "context", True)}
    adaptors = {f"context/adaptor_{part}" for part in (1, 2, 3)}
    assert parts == {"context/reduction", "context/spatial_0"} | adaptors


def test_align_from_scratch_moves_the_codes_that_it_mixes(shapes):
    path = "vqgan/quantizer/embedding"
    assert path in _trained(shapes, "align", True)
    assert path not in _trained(shapes, "align", False)


def test_discriminator_has_rows_of_its_own(shapes):
    discriminator = {"params": {"conv": 0}, "batch_stats": {"norm": {"mean": 0}}}
    params = shapes["pixel"] | {"discriminator": discriminator}
    rules = STAGES["pixel"].rules_for(tune_semantic=False, adversarial=True)
    labels = flatten(match_rules(params, rules))
    assert labels["discriminator/params/conv"] == ADVERSARY
    assert labels["discriminator/batch_stats/norm/mean"] == FROZEN
    assert labels["vqgan/decoder/conv_out/kernel"] == DECODER
    assert labels["fusion/head_out/kernel"] == TRAINED


def test_frozen_codebooks_are_never_revived(shapes):
    stage = STAGES["pixel"]
    assert trained_codebooks(shapes["pixel"], stage, stage.rules) == ()
    tuned = trained_codebooks(shapes["pixel"], stage, stage.tune_semantic_rules)
    assert tuned == ("tokens/embedding",)


def test_every_stage_hands_its_parameters_on(shapes):
    """All that vqgan and tokenizer train is part of the joint codec, but the head."""
    joint = {p: x.shape for p, x in flatten(shapes["align"]).items()}
    for stage in ("vqgan", "tokenizer"):
        for path, leaf in flatten(shapes[stage]).items():
            assert path.startswith("head/") or joint[path] == leaf.shape
