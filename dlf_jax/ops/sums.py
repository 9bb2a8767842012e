"""Sums over rows or columns, and affine maps of channels whose gradients need them.

On CPUs, without YNNPACK (`dlf_jax.compilation`), a product with ones takes about
a twentieth of the time of XLA's loop over the pixels of a map, and half of that over
channels; see ``launch/studies/throughput/README.md``.
"""

import functools

import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float


def sum_leading(x: Float[Array, "*S C"]) -> Float[Array, "C"]:
    """Sum over all axes except the last."""
    rows = x.reshape(-1, x.shape[-1])
    return jax.lax.platform_dependent(
        rows,
        cpu=lambda rows: (jnp.ones((1, len(rows)), rows.dtype) @ rows)[0],
        default=lambda rows: jnp.sum(rows, axis=0),
    )


def sum_last(x: Float[Array, "*S C"]) -> Float[Array, "*S 1"]:
    """Sum over the last axis, which is kept."""
    rows = x.reshape(-1, x.shape[-1])
    sums = jax.lax.platform_dependent(
        rows,
        cpu=lambda rows: rows @ jnp.ones((rows.shape[1], 1), rows.dtype),
        default=lambda rows: jnp.sum(rows, axis=1, keepdims=True),
    )
    return sums.reshape(*x.shape[:-1], 1)


@jax.custom_vjp
def add_bias(x: Float[Array, "*S C"], bias: Float[Array, "C"]) -> Float[Array, "*S C"]:
    """Adds one value a channel; both arguments have one type."""
    return x + bias


add_bias.defvjp(lambda x, bias: (x + bias, None), lambda _, g: (g, sum_leading(g)))


@jax.custom_vjp
def multiply(x: Float[Array, "*S C"], scale: Float[Array, "C"]) -> Float[Array, "*S C"]:
    """Multiplies by one factor a channel; both arguments have one type."""
    return x * scale


multiply.defvjp(
    lambda x, scale: (x * scale, (x, scale)),
    lambda saved, g: (g * saved[1], sum_leading(g * saved[0])),
)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def normalize(x: Float[Array, "*S C"], epsilon: float) -> Float[Array, "*S C"]:
    """(x − mean) / √(variance + epsilon), both of the last axis.

    The variance is the mean square of x − mean: E[x²]−E[x]² loses all digits where the
    variance is small.
    """
    return _normalize(x, epsilon)[0]


def _normalize(x: Array, epsilon: float) -> tuple[Array, tuple[Array, Array]]:
    centred = x - _mean_last(x)
    inverse = jax.lax.rsqrt(_mean_last(centred * centred) + epsilon)
    normal = centred * inverse
    return normal, (normal, inverse)


def _normalize_gradient(
    epsilon: float, saved: tuple[Array, Array], g: Array
) -> tuple[Array]:
    del epsilon
    normal, inverse = saved
    return (inverse * (g - _mean_last(g) - normal * _mean_last(g * normal)),)


normalize.defvjp(_normalize, _normalize_gradient)


@jax.custom_vjp
def softmax(x: Float[Array, "*S C"]) -> Float[Array, "*S C"]:
    """Softmax over the last axis, which needs one finite value at least."""
    return _softmax(x)[0]


def _softmax(x: Array) -> tuple[Array, Array]:
    exp = jnp.exp(x - jnp.max(x, axis=-1, keepdims=True))
    weights = exp / sum_last(exp)
    return weights, weights


def _softmax_gradient(weights: Array, g: Array) -> tuple[Array]:
    return (weights * (g - sum_last(g * weights)),)


softmax.defvjp(_softmax, _softmax_gradient)


def _mean_last(x: Float[Array, "*S C"]) -> Float[Array, "*S 1"]:
    return sum_last(x) / x.shape[-1]
