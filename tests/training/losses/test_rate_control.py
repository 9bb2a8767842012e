"""The λ ladder follows the rules of docs/architecture.md#rate-control."""

import numpy as np
import pytest

from dlf_jax.training.losses.rate_control import RateControl

_TWO = RateControl(
    ladders=((4.0, 4.78, 5.72), (1.0, 2.0)), windows=((0.008, 0.015), (0.02, 0.03))
)


@pytest.mark.parametrize(
    ("rung", "bpp", "expected"),
    [
        (0, 0.0151, 1),  # too many bits: they become dearer
        (1, 0.0151, 2),
        (2, 0.0151, 2),  # the ladder ends
        (2, 0.0079, 1),
        (0, 0.0079, 0),
        (1, 0.0080, 1),  # the window includes both ends
        (1, 0.0150, 1),
        (1, 9.0, 2),  # one step, however far away
        (1, float("nan"), 1),
    ],
)
def test_one_rung_up_above_the_window_and_down_below_it(rung, bpp, expected):
    assert list(_TWO.adapt(np.array([rung, 1]), [bpp, 0.025])) == [expected, 1]


def test_rate_points_move_by_themselves():
    rungs = np.zeros(2, np.int32)
    found = []
    for bpp in ([0.02, 0.01], [0.02, 0.04], [0.01, 0.04], [0.001, 0.01]):
        rungs = _TWO.adapt(rungs, bpp)
        found.append(rungs.tolist())
    assert found == [[1, 0], [2, 1], [2, 1], [1, 0]]


def test_without_windows_lmbda_stays():
    fixed = RateControl(ladders=((4.0, 5.0),))
    assert list(fixed.adapt(np.array([1]), [100.0])) == [1]


def test_lmbda_in_force_is_looked_up():
    found = _TWO.lmbda(np.array([2, 0]))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.float32([5.72, 1.0]))
