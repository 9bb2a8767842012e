"""Deterministic noise."""

import jax.numpy as jnp

from dlf_jax.typing import Array, Float


def fixed_noise(height: int, width: int, channels: int) -> Float[Array, "1 H W C"]:
    """White noise, uniform in ±½, the same on every machine and in every call.

    A value depends only on its row, column and channel, not on the size of the map.
    """
    value = jnp.uint32(0)
    for size, shape in ((height, (-1, 1, 1)), (width, (-1, 1)), (channels, (-1,))):
        index = jnp.arange(size, dtype=jnp.uint32).reshape(shape)
        value = _scramble(value + index)
    return (value >> 8).astype(jnp.float32)[None] / 2**24 - 0.5


def _scramble(x: Array) -> Array:
    """MurmurHash3's last step: a bijection in which every bit changes half of all."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)
