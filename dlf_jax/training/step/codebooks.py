"""Codebook usage: counts, perplexity, and revival of unused entries."""

import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float, Int

_DEAD_SHARE = 0.05  # of the mean usage; below it an entry counts as unused

# Initial usage in a codebook that an earlier stage has trained: more than the first
# batch can add, so that the first revival finds no entry unused.
IN_USE = 1e9


def count_codes(indices: Int[Array, "..."], num_codes: int) -> Float[Array, "K"]:
    """Counts how often each code occurs."""
    return jnp.zeros(num_codes).at[indices.reshape(-1)].add(1.0)


def perplexity(usage: Float[Array, "K"]) -> Float[Array, ""]:
    """Computes exp(entropy) of the usage: the effective number of codes in use."""
    p = usage / jnp.maximum(jnp.sum(usage), 1.0)
    return jnp.exp(-jnp.sum(p * jnp.log(p + 1e-10)))


def revive_unused(
    key: Array,
    codebook: Float[Array, "K D"],
    usage: Float[Array, "K"],
    vectors: Float[Array, "*S D"],
) -> Float[Array, "K D"]:
    """Replaces unused entries by random vectors of the current batch.

    An entry with less than 5 % of the mean usage counts as unused.

    Args:
      key: PRNG key.
      codebook: entries.
      usage: how often each entry was chosen since the last revival.
      vectors: inputs of the quantiser in this batch.

    Returns:
      The codebook; entries in use are unchanged.

    Reference: random restarts, Dhariwal et al., "Jukebox: A Generative Model for
    Music", 2020, section 3.1.
    """
    unused = usage < _DEAD_SHARE * jnp.mean(usage)
    vectors = vectors.reshape(-1, vectors.shape[-1])
    drawn = jax.random.choice(key, vectors, (len(codebook),))
    return jnp.where(unused[:, None], drawn, codebook)
