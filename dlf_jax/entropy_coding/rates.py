"""Rates: the rate points of a model, and the steps between them."""

import numbers
from typing import TypeAlias

from dlf_jax.errors import UserError

# Type checkers at run time do not accept an int as a float.
Number: TypeAlias = int | float

STEPS = 32  # from one rate point to the next


def nearest_rate(rate: Number, num_rates: int) -> Number:
    """The rate to use for a number: the nearest multiple of 1/`STEPS`.

    Args:
      rate: from 0 to ``num_rates - 1``.
      num_rates: rate points of the model.

    Returns:
      An int for a rate point, otherwise a float.

    Raises:
      UserError: the model does not have the rate.
    """
    known = isinstance(rate, numbers.Real) and not isinstance(rate, bool)
    if not (known and 0 <= rate <= num_rates - 1):  # also rejects NaN
        raise UserError(f"there is no rate {rate}: use one from 0 to {num_rates - 1}")
    return in_steps(round(rate * STEPS))


def all_rates(num_rates: int) -> list[Number]:
    """Every rate of a model, in ascending order."""
    return [in_steps(i) for i in range((num_rates - 1) * STEPS + 1)]


def in_steps(steps: int) -> Number:
    """The rate of a number of steps, an int for a rate point."""
    whole, rest = divmod(steps, STEPS)
    return steps / STEPS if rest else whole
