"""Settings that a resumed run can change."""

import json

import pytest

from dlf_jax.errors import UserError
from dlf_jax.training.settings.resuming import check_unchanged, restored

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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 5}, "started with steps 4 and cannot go on with 5; leave it"),
        ({"optimizer": {"b1": 0.9}}, "optimizer.b1 0.5 and cannot go on with 0.9"),
        ({"lmbda": ((4.0,), (1.0,))}, r"lmbda \[\[4.0, 5.0\], \[1.0\]\]"),
        ({"new": 1}, "new None and cannot go on with 1"),
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
