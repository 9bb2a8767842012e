"""BD-rate: known cases, an independent computation, and rejected curves."""

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from dlf_jax.errors import UserError
from dlf_jax.metrics.bd_rate import bd_rate

RATE = np.array([0.02, 0.05, 0.1, 0.2])
QUALITY = np.array([24.0, 26.5, 29.0, 31.5])


def test_a_codec_with_half_the_bits_saves_fifty_percent():
    found = bd_rate(RATE, QUALITY, RATE / 2, QUALITY)
    assert found.percent == pytest.approx(-50)
    assert (found.low, found.high) == (24.0, 31.5)


def test_order_and_sign_of_quality_do_not_matter():
    better = QUALITY + np.array([0.5, 0.4, 0.7, 0.2])
    want = bd_rate(RATE, QUALITY, RATE, better).percent
    assert want < 0
    assert bd_rate(RATE, -QUALITY, RATE[::-1], -better[::-1]).percent == (
        pytest.approx(want)
    )


def test_straight_lines_give_the_closed_form():
    # ln rate = a + b q; the mean difference over [26, 30] is (a2-a1) + (b2-b1) 28.
    first, second = np.linspace(24, 30, 5), np.linspace(26, 32, 4)
    found = bd_rate(np.exp(-9 + 0.3 * first), first, np.exp(-8 + 0.25 * second), second)
    assert found.percent == pytest.approx(100 * np.expm1(1 - 0.05 * 28))
    assert (found.low, found.high) == (26, 30)


def test_equals_an_independent_computation():
    """Fritsch-Carlson slopes by hand, a mean of many samples for the integral."""

    def log_rate(rate, quality):
        x, y = quality, np.log(rate)
        h, d = np.diff(x), np.diff(y) / np.diff(x)
        slopes = np.zeros_like(x)
        for k in range(1, len(x) - 1):
            w1, w2 = 2 * h[k] + h[k - 1], h[k] + 2 * h[k - 1]
            slopes[k] = (w1 + w2) / (w1 / d[k - 1] + w2 / d[k])
        for k, (a, b) in ((0, (0, 1)), (-1, (-1, -2))):
            slopes[k] = ((2 * h[a] + h[b]) * d[a] - h[a] * d[b]) / (h[a] + h[b])
        return CubicHermiteSpline(x, y, slopes)

    quality = np.array([25.0, 27.1, 29.9, 31.0])
    grid = np.linspace(25, 31, 200_001)
    difference = log_rate(RATE, quality)(grid) - log_rate(RATE, QUALITY)(grid)
    found = bd_rate(RATE, QUALITY, RATE, quality)
    assert found.percent == pytest.approx(100 * np.expm1(difference.mean()), abs=1e-3)


def test_no_overlap_is_rejected():
    with pytest.raises(UserError, match="no quality in common"):
        bd_rate(RATE, QUALITY, RATE, QUALITY + 8)


def test_a_single_point_is_rejected():
    with pytest.raises(UserError, match="two or more"):
        bd_rate(RATE, QUALITY, RATE[:1], QUALITY[:1])


@pytest.mark.parametrize("odd", [np.nan, np.inf])
@pytest.mark.parametrize("at", [0, 3])
def test_a_quality_that_is_not_finite_is_rejected(odd, at):
    quality = QUALITY.copy()
    quality[at] = odd
    with pytest.raises(UserError, match="missing or infinite"):
        bd_rate(RATE, QUALITY, RATE, quality)


def test_quality_that_turns_is_rejected():
    with pytest.raises(UserError, match="monotonically"):
        bd_rate(RATE, QUALITY, RATE, np.array([24.0, 27.0, 26.0, 31.0]))
