"""Deterministic noise."""

import jax.numpy as jnp

from dlf_jax.typing import Array, Float, Int


def fixed_noise(
    rows: Int[Array, "#B H"], cols: Int[Array, "#B W"], channels: int
) -> Float[Array, "B H W C"]:
    """White noise, uniform in ±½, the same on every machine and in every call.

    A value depends only on its row, column and channel.
    """
    value = jnp.uint32(0)
    index = rows[:, :, None, None], cols[:, None, :, None], jnp.arange(channels)
    for place in index:
        value = _scramble(value + place.astype(jnp.uint32))
    return (value >> 8).astype(jnp.float32) / 2**24 - 0.5


def _scramble(x: Array) -> Array:
    """MurmurHash3's last step: a bijection in which every bit changes half of all."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)
