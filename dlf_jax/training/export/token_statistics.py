"""Counts of the tokens of a trained codec, for the lengths of their codes."""

import itertools
from collections.abc import Iterable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int
from tqdm import tqdm

from dlf_jax.compilation import compiler_options
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dlf import DLF
from dlf_jax.ops.pixels import to_signed
from dlf_jax.typing import Array, Params, UInt8


def count_tokens(
    params: Params,
    config: DLFConfig,
    batches: Iterable[UInt8[np.ndarray, "B S S 3"]],
    num_batches: int,
) -> Int[np.ndarray, "P K"]:
    """Counts every token at every position of a tile.

    Args:
      params: parameters of `DLF`.
      config: sizes of the network.
      batches: crops of training photos, sides a multiple of the tile.
      num_batches: number of batches to count.

    Returns:
      Counts for P = ``config.num_tokens`` positions and K = ``config.codebook_size``
      tokens.
    """

    @partial(jax.jit, compiler_options=compiler_options(jax.default_backend()))
    def tokenize(params: Params, batch: Array) -> Array:
        rate = jnp.zeros(len(batch), jnp.int32)  # tokens are equal at all rates
        variables = {"params": params}
        image = to_signed(batch)
        return DLF(config).apply(variables, image, rate, method="analyze").tokens

    counts = np.zeros((config.num_tokens, config.codebook_size), np.int64)
    taken = itertools.islice(batches, num_batches)
    bar = tqdm(taken, "counting tokens", num_batches, disable=None, leave=False)
    for batch in bar:
        tokens = np.asarray(tokenize(params, batch))
        np.add.at(counts, (np.arange(config.num_tokens), tokens), 1)
    return counts
