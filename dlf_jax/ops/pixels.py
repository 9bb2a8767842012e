"""8-bit pixels to the [-1, 1] of the networks, and back."""

import jax.numpy as jnp

from dlf_jax.typing import Array, Float, UInt8


def to_signed(image: UInt8[Array, "*S"]) -> Float[Array, "*S"]:
    """0 to 255 as float32 in [-1, 1]."""
    return image.astype(jnp.float32) / 127.5 - 1.0


def to_uint8(image: Float[Array, "*S"]) -> UInt8[Array, "*S"]:
    """[-1, 1] as the nearest level, 0 to 255, halves up; values outside are clipped."""
    levels = jnp.clip(image, -1.0, 1.0) * 127.5 + 127.5
    return jnp.floor(levels + 0.5).astype(jnp.uint8)
