"""The table of settings: every value in its range, every range in a message."""

import math

import pytest

from dlf_jax.errors import UserError
from dlf_jax.paths import flatten, nest
from dlf_jax.training.settings.sizes import SIZES
from dlf_jax.training.settings.table import (
    RENAMED,
    SETTINGS,
    check_all_values,
    check_values,
    explain,
    unknown,
)
from tests.training import tiny


@pytest.fixture(scope="module")
def values():
    """Settings that make sense, flat."""
    return flatten(tiny.shipped_config("pixel").to_dict(), ".")


def _check(values, **changes):
    check_all_values(nest(values | changes, "."))


_WHOLE = (
    ("num_threads", 1, 1_024),
    ("crop.size", 1, 10_000),
    ("batch_size", 1, 65_536),
    ("validation.every", 1, 10**9),
    ("validation.photos", 0, 10**9),
    ("validation.size", 1, 10_000),
    ("mesh.data", 0, 10**9),
    ("mesh.fsdp", 1, 10**9),
    ("accumulate", 1, 65_536),
    ("loss.discriminator_channels", 1, 4_096),
    ("loss.discriminator_images", 0, 10**9),
    ("loss.decode_crop", 0, 10**9),
    ("loss.perceptual_crop", 16, 10**9),
    ("loss.perceptual_images", 0, 10**9),
    ("adversarial_start", 0, 10**9),
    ("lmbda_warmup", 0, 10**9),
    ("seed", 0, 2**32 - 1),
    ("steps", 1, 10**9),
    ("optimizer.warmup_steps", 0, 10**9),
    ("revive_every", 1, 10**9),
    ("log_every", 1, 10**9),
)
_WEIGHTS = (
    *("loss.l1", "loss.lpips_vgg", "loss.lpips_alex", "loss.dists", "loss.adversarial"),
    *("loss.blockiness", "loss.latent", "loss.cross_entropy", "loss.codebook"),
    *("loss.uniformity", "optimizer.clip_norm", "save_minutes"),
)
_SHARES = ("max_undecodable", "loss.continuous_share", "optimizer.final_factor")
_DECAYS = ("optimizer.b1", "optimizer.b2", "ema_decay")
_POSITIVE = ("crop.min_scale", "optimizer.lr")
_SWITCHES = (
    *("tune_semantic", "optimizer_from_donor", "cache_photos", "crop.flip", "remat"),
    *("quick_compile", "loss.continuous_target"),
)
_CHOICES = ("stage", "model.variant", "dtype", "optimizer.name", "optimizer.schedule")
_TEXTS = ("init_from", "data")
_TUPLES = ("lmbda", "bpp_window", "profile")


def test_every_setting_is_tried_below():
    names = [name for name, _, _ in _WHOLE]
    names += [*_WEIGHTS, *_SHARES, *_DECAYS, *_POSITIVE, *_SWITCHES, *_CHOICES]
    optional = SIZES.keys() - {"model.variant"}  # test_sizes.py
    assert sorted(SETTINGS.keys() - optional) == sorted([*names, *_TEXTS, *_TUPLES])


@pytest.mark.parametrize(("name", "low", "high"), _WHOLE)
def test_whole_numbers(values, name, low, high):
    for value in (low, high):
        _check(values, **{name: value})
    for value in (low - 1, high + 1, float(low), "7", True, None, (1,)):
        with pytest.raises(UserError) as raised:
            _check(values, **{name: value})
        assert str(raised.value) == (
            f"{name} must be a whole number from {low:_} to {high:_}, not {value!r}"
        )


@pytest.mark.parametrize(
    ("names", "good", "bad", "kind"),
    [
        (_WEIGHTS, (0, 0.0, 1e9), (-1e-9,), "a finite number of at least 0"),
        (_SHARES, (0, 1, 0.5), (-0.1, 1.1), "a number of at least 0 and at most 1"),
        (_DECAYS, (0.0, 0.999), (-0.1, 1.0, 1.1), "a number of at least 0 and below 1"),
        (_POSITIVE, (1e-9, 1), (0.0, -1.0, 2.0), "a number above 0 and at most 1"),
    ],
)
def test_numbers(values, names, good, bad, kind):
    for name in names:
        for value in good:
            _check(values, **{name: value})
        for value in (*bad, math.nan, math.inf, -math.inf, "1", True, None, [0.5]):
            with pytest.raises(UserError) as raised:
                _check(values, **{name: value})
            assert str(raised.value) == f"{name} must be {kind}, not {value!r}"


@pytest.mark.parametrize(
    ("names", "bad", "kind"),
    [
        (_SWITCHES, (0, 1, "True", None), "True or False"),
        (_TEXTS, (5, None, ("a",)), "text"),
        (_CHOICES, ("x", "", None, 1, ["vqgan"]), "one of "),
    ],
)
def test_other_kinds(values, names, bad, kind):
    for name in names:
        for value in bad:
            with pytest.raises(UserError) as raised:
                _check(values, **{name: value})
            assert str(raised.value).startswith(f"{name} must be {kind}")
            assert str(raised.value).endswith(f", not {value!r}")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "lmbda",
            (((4.0, 5.0), (1,)), [[0.0], [0.0]]),
            (
                5,
                (2.0,),
                ((),),
                ((1.0,), ("a",)),
                ((2.0, 1.0),),
                ((1.0, 1.0),),
                ((-1.0,),),
                ((math.inf,),),
                ((math.nan,),),
                ((True,),),
                "((1.0,),)",
            ),
        ),
        (
            "bpp_window",
            ((), ((0.01, 0.02), (0.02, 0.03))),
            ((0.1, 0.2), ((0.1,),), ((0.2, 0.1),), ((0.1, 0.2, 0.3),), ((-1, 1),), 5),
        ),
        (
            "profile",
            ((0, 0), [2, 2], (100, 110)),
            ((), (1,), (1, 5), (0, 5), (5, 4), (-2, -1), (2.0, 3.0), (2, 3, 4), 5),
        ),
    ],
)
def test_tuples(values, name, good, bad):
    for value in good:
        _check(values, **{name: value})
    for value in bad:
        with pytest.raises(UserError) as raised:
            _check(values, **{name: value})
        assert str(raised.value).startswith(f"{name} must be a")
        assert str(raised.value).endswith(f", not {value!r}")


def test_unknown_and_missing_settings_are_named(values):
    with pytest.raises(UserError, match="unknown setting loss.l2; is loss.l1 meant"):
        _check(values, **{"loss.l2": 1.0})
    with pytest.raises(UserError, match="unknown setting steps.a; is steps meant?"):
        check_all_values({"steps": {"a": 1}})
    rest = {name: value for name, value in values.items() if name != "crop.flip"}
    with pytest.raises(UserError, match="crop.flip is missing; .* be True or False$"):
        _check(rest)
    for old, new in RENAMED.items():
        with pytest.raises(UserError, match=f"^setting {old} was renamed: use {new}$"):
            check_all_values({old: 1.0})
        assert new in SETTINGS and old not in SETTINGS
    check_values({"steps": 1, "zzz": 1}, ["steps"])
    assert unknown("zzz") == "unknown setting zzz"


def test_help_has_every_setting_and_its_range():
    text = " ".join(explain().split())
    for name, (kind, meaning, _) in SETTINGS.items():
        assert f"{name}: {meaning} ({kind})" in text
    assert max(map(len, explain().splitlines())) <= 80
