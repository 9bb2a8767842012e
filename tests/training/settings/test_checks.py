"""Settings that contradict each other are rejected."""

import pytest

from dlf_jax.errors import UserError
from dlf_jax.training.settings.checks import check_settings
from tests.training import tiny


@pytest.fixture
def make_config():
    """Shipped settings of a stage, cut down to the tiny codec, with changes."""

    def make(stage, changes):
        config = tiny.shipped_config(stage)
        config.update_from_flattened_dict(changes)
        return config

    return make


@pytest.mark.parametrize(
    ("stage", "changes", "message"),
    [
        ("align", {"seed": -1}, "seed must be a whole number from 0"),
        ("align", {"crop.size": 24}, "crop.size must be a multiple of 16, not 24"),
        ("vqgan", {"crop.size": 18}, "crop.size must be a multiple of 4, not 18"),
        ("align", {"validation.size": 20}, "validation.size must be a multiple of 16"),
        ("align", {"lmbda": ((1.0,),)}, "lmbda must have a tuple for every rate point"),
        ("align", {"lmbda": ()}, "lmbda must have .*, 2 in all, not 0"),
        (
            "align",
            {"bpp_window": ((0.1, 0.2),)},
            "bpp_window must have .* 2 in all, not 1",
        ),
        ("align", {"lmbda": ((1.0,), (2.0,))}, "begin with the largest weights"),
        ("align", {"optimizer.warmup_steps": 4}, "warmup_steps must be below steps, 4"),
        ("align", {"lmbda_warmup": 5}, "lmbda_warmup must be at most steps, 4, not 5"),
        ("align", {"profile": (3, 5)}, r"profile must end by the last of 4 steps, not"),
        ("pixel", {"loss.decode_crop": 10}, "decode_crop must be a multiple of 4, not"),
        (
            "pixel",
            {"loss.decode_crop": 32},
            "decode_crop must be at most crop.size, 16",
        ),
        (
            "pixel",
            {"loss.decode_crop": 8},
            "loss.dists needs 16 pixels a side: raise loss.decode_crop, 8, or set it",
        ),
        (
            "pixel",
            {"loss.lpips_alex": 1.0},
            "loss.lpips_alex needs 32 pixels a side: raise crop.size, 16, or set it",
        ),
        (
            "vqgan",
            {"crop.size": 32, "loss.adversarial": 0.8},
            "loss.adversarial needs 32 pixels a side: raise validation.size, 16, or",
        ),
        (
            "pixel",
            {"loss.dists": 0.0, "loss.blockiness": 1.0, "loss.decode_crop": 4},
            "loss.blockiness needs 8 pixels a side: raise loss.decode_crop, 4",
        ),
        (
            "pixel",
            {"loss.perceptual_crop": 32},
            "perceptual_crop must be at most crop.size, 16,",
        ),
        (
            "pixel",
            {"crop.size": 32, "loss.decode_crop": 16, "loss.perceptual_crop": 32},
            "perceptual_crop must be at most loss.decode_crop, 16, not 32",
        ),
        (
            "pixel",
            {"loss.perceptual_images": 3},
            "at most batch_size / accumulate, 2, not 3",
        ),
        (
            "pixel",
            {"accumulate": 2, "loss.perceptual_images": 2},
            "accumulate, 1, not 2",
        ),
        (
            "pixel",
            {"crop.size": 32, "validation.photos": 0, "loss.adversarial": 0.8}
            | {"adversarial_start": 4},
            "adversarial_start must be below steps, 4, not 4; or set loss.adversarial",
        ),
        (
            "pixel",
            {"crop.size": 32, "validation.photos": 0, "loss.adversarial": 0.8}
            | {"loss.discriminator_images": 3},
            "discriminator_images must divide batch_size / accumulate, 2, unlike 3",
        ),
    ],
)
def test_contradictions(make_config, stage, changes, message):
    check_settings(make_config(stage, {}))
    with pytest.raises(UserError, match=message):
        check_settings(make_config(stage, changes))


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("align", {"validation.every": 1_000, "log_every": 1_000}),
        ("align", {"validation.size": 20, "validation.photos": 0}),
        ("vqgan", {"crop.size": 20, "loss.decode_crop": 128, "lmbda_warmup": 99}),
        ("tokenizer", {"loss.perceptual_crop": 128, "loss.adversarial": 0.8}),
        ("vqgan", {"adversarial_start": 250_000}),
        ("align", {"lmbda": ((1.0,), (1.0,)), "lmbda_warmup": 4}),
        ("align", {"optimizer.warmup_steps": 3, "profile": (2, 4)}),
    ],
)
def test_what_a_stage_makes_no_use_of_contradicts_nothing(make_config, stage, changes):
    check_settings(make_config(stage, changes))
