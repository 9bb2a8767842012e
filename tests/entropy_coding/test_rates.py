"""Rates of a model, and numbers that are none."""

import math

import pytest

from dlf_jax.entropy_coding.rates import all_rates, in_steps, nearest_rate
from dlf_jax.errors import UserError


def test_numbers_become_the_nearest_rate():
    wanted = {0: 0, 1.0: 1, 1.4: 1.40625, 2.99: 3, 0.01: 0, 0.02: 1 / 32}
    found = {rate: nearest_rate(rate, 4) for rate in wanted}
    assert found == wanted


def test_rate_points_are_whole_numbers():
    assert repr([in_steps(steps) for steps in (0, 32, 48, 64)]) == "[0, 1, 1.5, 2]"
    assert type(nearest_rate(0.99, 2)) is int


def test_all_rates_ascend_from_the_first_rate_point_to_the_last():
    assert all_rates(1) == [0]
    rates = all_rates(4)
    assert rates[:3] == [0, 1 / 32, 2 / 32] and rates[-1] == 3 and len(rates) == 97
    assert all(nearest_rate(rate, 4) == rate for rate in rates)


@pytest.mark.parametrize("rate", [-1, 3.01, math.nan, math.inf, True])
def test_other_values_are_refused(rate):
    with pytest.raises(UserError, match=r"there is no rate .*: use one from 0 to 3"):
        nearest_rate(rate, 4)
