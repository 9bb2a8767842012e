"""Tables with a row for each rate point, read at rates between the points."""

import jax.numpy as jnp

from dlf_jax.typing import Array, Float, Num


def at_rates(table: Float[Array, "R C"], rates: Num[Array, "B"]) -> Float[Array, "B C"]:
    """The row of every rate: the table's at a rate point, else between two of them.

    Args:
      table: a row for each rate point.
      rates: rates from 0 to R − 1, whole or not.
    """
    point = jnp.floor(rates).astype(jnp.int32)
    low, high = table[point], table[jnp.minimum(point + 1, len(table) - 1)]
    share = (rates - point).astype(table.dtype)[:, None]
    return (1 - share) * low + share * high
