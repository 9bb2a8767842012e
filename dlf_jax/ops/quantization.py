"""Rounding and nearest-code search with the gradients training needs."""

import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float, Int


def straight_through(
    hard: Float[Array, "*S"], soft: Float[Array, "*S"]
) -> Float[Array, "*S"]:
    """Value ``soft + (hard − soft)``; the gradient goes to `soft` alone, unchanged."""
    return soft + jax.lax.stop_gradient(hard - soft)


def round_ste(x: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """Rounds to nearest, ties to even; the gradient is that of the identity."""
    return straight_through(jnp.round(x), x)


def l2_normalize(x: Float[Array, "*S D"]) -> Float[Array, "*S D"]:
    """x / max(‖x‖, 1e-12) over the last axis; the gradient at zero is zero."""
    square = jnp.sum(x * x, axis=-1, keepdims=True)
    norm = jnp.sqrt(jnp.where(square > 0, square, 1.0))
    return x / jnp.maximum(jnp.where(square > 0, norm, 0.0), 1e-12)


def nearest_code(
    x: Float[Array, "*S D"], codebook: Float[Array, "K D"]
) -> Int[Array, "*S"]:
    """Index of the code at the smallest squared distance, the first one on ties."""
    cross = jnp.matmul(x, codebook.T, precision="highest")
    distance = (
        jnp.sum(x * x, axis=-1, keepdims=True)
        + jnp.sum(codebook * codebook, axis=-1)
        - 2.0 * cross
    )
    return jnp.argmin(distance, axis=-1)
