"""Goals that make sense, and others."""

import math

import pytest

from dlf_jax.codec.goal import Goal
from dlf_jax.errors import UserError


def test_a_goal_shows_what_it_asks_for():
    assert repr(Goal()) == "Goal()"
    assert repr(Goal(target_bytes=800)) == "Goal(target_bytes=800)"
    assert not Goal().has_target and not Goal(1.5).has_target
    assert Goal(target_psnr=20).has_target


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rate": 0, "target_bytes": 9}, "rate and target_bytes exclude each other"),
        ({"target_bpp": 1, "target_psnr": 9}, "target_bpp and target_psnr exclude"),
        ({"target_bytes": 0}, "target_bytes is 0: use a whole number above 0"),
        ({"target_bpp": -0.5}, "target_bpp is -0.5: use a number above 0"),
        ({"target_lpips": math.nan}, "target_lpips is nan: use a number"),
        ({"target_dists": math.inf}, "target_dists is inf: use a number"),
    ],
)
def test_other_goals_are_refused(fields, message):
    with pytest.raises(UserError, match=message):
        Goal(**fields)
