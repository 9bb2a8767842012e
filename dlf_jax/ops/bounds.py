"""A lower bound whose gradient still pulls values up across the bound."""

import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float


@jax.custom_vjp
def lower_bound(x: Float[Array, "*S"], bound: float) -> Float[Array, "*S"]:
    """max(x, bound), with a one-sided gradient below the bound.

    Gradient: g passes where ``x >= bound`` or ``g < 0`` (a descent step would raise x),
    and is zero elsewhere; `bound` gets none (spec §9.3).
    """
    return jnp.maximum(x, bound)


def _forward(x, bound):
    return jnp.maximum(x, bound), (x, bound)


def _backward(residuals, g):
    x, bound = residuals
    return jnp.where((x >= bound) | (g < 0), g, 0.0), None


lower_bound.defvjp(_forward, _backward)
