"""A lower bound with a gradient that pulls values back above the bound."""

import functools

import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def lower_bound(x: Float[Array, "*S"], bound: float) -> Float[Array, "*S"]:
    """max(x, bound), with a one-sided gradient below the bound.

    Gradient: g passes where ``x >= bound`` or ``g < 0`` (a descent step would raise x),
    and is zero elsewhere (docs/architecture.md#primitives).  `bound` is a constant,
    not traced.
    """
    return jnp.maximum(x, bound)


def _forward(x, bound):
    return jnp.maximum(x, bound), x


def _backward(bound, x, g):
    return (jnp.where((x >= bound) | (g < 0), g, 0.0),)


lower_bound.defvjp(_forward, _backward)
