"""The shipped settings: every stage, and the released numbers.

See docs/architecture.md#training-stages.
"""

import re

import pytest

from dlf_jax.paths import flatten
from dlf_jax.training.settings.checks import check_settings
from dlf_jax.training.settings.table import SETTINGS

_STAGES = (
    "vqgan",
    "tokenizer",
    "align_warmup",
    "align",
    "pixel",
    "pixel_512",
    "tune_semantic",
)


_CASES = [f"preset={p},stage={stage}" for p in ("l", "smoke") for stage in _STAGES]
_CASES += [
    f"preset={p},stage={stage},rate=qp{rate}"
    for p in ("l", "smoke")
    for stage in ("align", "pixel")
    for rate in (1, 2, 3)
]
_CASES += ["preset=l,stage=tune_semantic,resolution=256"]
_CASES += [
    f"stage={stage}"
    for stage in ("vqgan", "tokenizer", "align", "pixel", "context", "decoder")
]


@pytest.mark.parametrize("argument", _CASES)
def test_every_stage_passes_its_own_check(get_config, argument):
    config = get_config(argument)
    assert config.is_locked
    check_settings(config)


@pytest.mark.parametrize("preset", ["l", "nano", "smoke"])
def test_the_table_of_settings_has_every_key_and_no_other(get_config, preset):
    config = get_config(f"preset={preset}").to_dict()
    assert set(flatten(config, ".")) == set(SETTINGS)


@pytest.mark.parametrize(
    ("rate", "last", "align", "pixel"),
    [
        ("qp0", 28.0, (0.008, 0.015), (0.003, 0.008)),
        ("qp1", 16.0, (0.008, 0.015), (0.005, 0.010)),
        ("qp2", 8.5, (0.010, 0.015), (0.010, 0.015)),
        ("qp3", 5.8, (0.010, 0.015), (0.015, 0.020)),
    ],
)
def test_released_rates(get_config, rate, last, align, pixel):
    def of(stage):
        config = get_config(f"preset=l,rate={rate},stage={stage}")
        return config.lmbda, config.bpp_window

    assert of("align_warmup") == (((1e-3,),), ())
    ((ladder,), windows) = of("align")
    assert (len(ladder), ladder[0], ladder[-1], windows) == (12, 4.0, 26.0, (align,))
    ((ladder,), windows) = of("pixel")
    assert (len(ladder), ladder[:2], windows) == (12, (1.0, 4.0), (pixel,))
    assert ladder[-1] == last and list(ladder) == sorted(ladder)
    assert of("pixel_512") == of("tune_semantic") == (((last,),), ())


def test_released_optimisation(get_config):
    found = {}
    for stage in ("align", "pixel", "pixel_512", "tune_semantic"):
        config = get_config(f"preset=l,stage={stage}")
        optimizer = config.optimizer
        assert (optimizer.b1, optimizer.b2, optimizer.clip_norm) == (0.5, 0.9, 0.0)
        assert optimizer.schedule == "constant" and config.ema_decay == 0.0
        assert config.validation.every == 5_000 and config.validation.size == 512
        assert (config.crop.min_scale, config.crop.flip) == (1.0, False)
        found[stage] = (
            optimizer.lr,
            config.crop.size,
            config.batch_size,
            config.loss.adversarial,
            config.tune_semantic,
        )
    assert found == {
        "align": (4e-5, 256, 16, 0.0, False),
        "pixel": (4e-5, 256, 16, 0.8, False),
        "pixel_512": (2e-5, 512, 8, 0.8, False),
        "tune_semantic": (1e-6, 512, 8, 0.8, True),
    }


def test_resolution_is_the_side_of_the_crops(get_config):
    config = get_config("preset=l,stage=pixel,rate=qp3,resolution=512")
    assert (config.crop.size, config.loss.perceptual_crop) == (512, 512)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("preset=xl", "preset=xl is not one of l, nano, smoke"),
        ("stage=feat", "stage=feat is not one of vqgan, tokenizer, align, pixel"),
        ("preset=l,rate=4", "rate=4 is not one of qp0, qp1, qp2, qp3"),
        ("rate=qp1", "rate is an option of preset l and smoke, not of nano"),
        (
            "preset=smoke,resolution=64",
            "resolution is an option of preset l, not of smoke",
        ),
        ("preset=l,resolution=big", "resolution=big is not a number of pixels"),
        ("preset=l,resolution=0", "resolution=0 is not a number of pixels"),
        ("nano", "'nano' is not one of preset, stage, rate, resolution with =value"),
    ],
)
def test_what_is_not_there_is_named(get_config, argument, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        get_config(argument)


def test_hours_follow_from_the_columns(repository):
    """Steps x images x TFLOP over 16 chips at 40 % of 197 TFLOP/s."""
    text = (repository / "configs" / "dlf.py").read_text()
    rows = re.findall(r"^  \w+ +\S+ +([\d_]+) x (\d+) +([\d.]+) +([\d.]+) ", text, re.M)
    assert len(rows) == len(_STAGES)
    for steps, images, tflop, hours in rows:
        expected = int(steps) * int(images) * float(tflop) / (16 * 197 * 0.4) / 3600
        assert float(hours) == pytest.approx(expected, rel=0.02, abs=0.06)
