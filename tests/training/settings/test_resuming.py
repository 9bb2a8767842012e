"""Settings of resumed runs, of today and of earlier versions."""

import json

import pytest

from dlf_jax.errors import UserError
from dlf_jax.paths import nest
from dlf_jax.training.settings.resuming import check_unchanged, restored
from dlf_jax.training.settings.sizes import SIZES
from dlf_jax.training.settings.table import RENAMED, SETTINGS, check_values
from tests.training import tiny

_SETTINGS = {
    "steps": 4,
    "data": "a",
    "lmbda": ((4.0, 5.0), (1.0,)),
    "optimizer": {"b1": 0.5},
    "mesh": {"data": 0, "fsdp": 1},
}


def test_the_same_settings_pass_as_saved():
    check_unchanged(json.loads(json.dumps(_SETTINGS)), _SETTINGS)


def test_what_decides_on_no_weight_may_change():
    check_unchanged(
        _SETTINGS, _SETTINGS | {"data": "b", "mesh": {"data": 4, "fsdp": 2}}
    )


def test_runs_of_earlier_versions_have_the_names_of_today():
    now = tiny.shipped_config("pixel").to_dict() | {
        "model": nest(dict.fromkeys(SIZES), ".")["model"]
    }
    now["model"]["variant"] = "dlf-nano"
    before = json.loads(json.dumps(now)) | {"model": "dlf-nano"}
    for old, new in RENAMED.items():
        if old != "model":
            part, _, name = new.partition(".")
            before[part][old.partition(".")[2]] = before[part].pop(name)
    assert before["loss"].keys() >= {"lpips", "lpips_crop", "lpips_images"}
    check_unchanged(before, now)
    config = restored(before)
    assert config.model.variant == "dlf-nano" and config.model.detail_width is None
    check_values(config.to_dict(), SETTINGS)
    with pytest.raises(UserError, match="model.detail_width None and cannot be"):
        check_unchanged(before, now | {"model": now["model"] | {"detail_width": 64}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 5}, "started with steps 4 and cannot be resumed with 5; keep the"),
        ({"optimizer": {"b1": 0.9}}, "optimizer.b1 0.5 and cannot be resumed with 0.9"),
        ({"lmbda": ((4.0,), (1.0,))}, r"lmbda \[\[4.0, 5.0\], \[1.0\]\]"),
        ({"new": 1}, "new None and cannot be resumed with 1"),
    ],
)
def test_others_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        check_unchanged(_SETTINGS, _SETTINGS | changes)


def test_restored_settings_are_locked_and_as_they_were():
    config = restored(json.loads(json.dumps(_SETTINGS)))
    assert config.to_dict() == _SETTINGS
    with pytest.raises(AttributeError):
        config.stpes = 3


def test_names_that_no_setting_can_have_are_one_line():
    with pytest.raises(UserError, match="settings of the run are damaged: .*dots"):
        restored({"optimizer.lr": 1.0})
