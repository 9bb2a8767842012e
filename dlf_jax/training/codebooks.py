"""Keeps codebooks in use: entries nobody picks are moved next to popular ones."""

import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float, Int

_DEAD_SHARE = 0.05  # of the mean usage; below it an entry counts as unused
_SPREAD = 0.1  # distance of a copy from its original, relative to the entry's size


def count_codes(indices: Int[Array, "..."], num_codes: int) -> Float[Array, "K"]:
    """How often each code occurs."""
    return jnp.zeros(num_codes).at[indices.reshape(-1)].add(1.0)


def perplexity(usage: Float[Array, "K"]) -> Float[Array, ""]:
    """exp(entropy) of the usage: the number of codes in effective use."""
    p = usage / jnp.maximum(jnp.sum(usage), 1.0)
    return jnp.exp(-jnp.sum(p * jnp.log(p + 1e-10)))


def revive_unused(
    key: Array, codebook: Float[Array, "K D"], usage: Float[Array, "K"]
) -> Float[Array, "K D"]:
    """Replaces unused entries by disturbed copies of entries drawn by their usage.

    The copy and its original then share what the original had to represent, and the
    codebook loss pulls them apart.  Usage below 5 % of the mean counts as none.

    Args:
      key: PRNG key.
      codebook: entries.
      usage: how often each entry was picked since the last time.

    Returns:
      The codebook; entries in use are unchanged.

    Reference: splitting, as in Linde, Buzo and Gray, "An Algorithm for Vector
    Quantizer Design", 1980.
    """
    pick, disturb = jax.random.split(key)
    unused = usage < _DEAD_SHARE * jnp.mean(usage)
    donors = jax.random.categorical(pick, jnp.log(usage + 1e-10), shape=usage.shape)
    copies = codebook[donors]
    size = jnp.sqrt(jnp.mean(jnp.square(copies), axis=-1, keepdims=True))
    copies += _SPREAD * size * jax.random.normal(disturb, copies.shape)
    return jnp.where(unused[:, None], copies, codebook)
