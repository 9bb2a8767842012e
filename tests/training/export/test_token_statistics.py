"""Tokens are counted where they occur, on the photos of the run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.models.dlf import DLF
from dlf_jax.training.export.token_statistics import count_tokens
from tests.training.tiny import TINY


@pytest.mark.slow
def test_counts_are_those_of_the_tokens():
    rng = np.random.default_rng(0)
    side = 2 * TINY.tile_size
    colours = rng.integers(0, 256, (3, 2, side // 4, side // 4, 3), np.uint8)
    batches = colours.repeat(4, axis=2).repeat(4, axis=3)
    model, rate = DLF(TINY), jnp.zeros(2, jnp.int32)
    image = jnp.asarray(batches[0] / 127.5 - 1, jnp.float32)

    def everything(module, image, rate):
        return module.reconstruct(module(image, rate).latent)

    init = jax.jit(lambda key: model.init(key, image, rate, method=everything))
    params = init(jax.random.key(0))["params"]
    # Kernels alone: biases and positions would decide for all tiles alike.
    params = jax.tree_util.tree_map_with_path(
        lambda path, x: x + rng.normal(size=x.shape) * (path[-1].key == "kernel"),
        params,
    )
    counts = count_tokens(params, TINY, iter(batches), 2)
    assert counts.shape == (TINY.num_tokens, TINY.codebook_size)
    # Two batches of two crops of four tiles, and no more.
    assert counts.sum(axis=1).tolist() == [16] * TINY.num_tokens
    wanted = np.zeros_like(counts)
    for batch in batches[:2]:
        image = jnp.asarray(batch / 127.5 - 1, jnp.float32)
        found = model.apply({"params": params}, image, rate, method="analyze")
        for tile in np.asarray(found.tokens):
            for position, token in enumerate(tile):
                wanted[position, token] += 1
    np.testing.assert_array_equal(counts, wanted)
    assert np.count_nonzero(counts) > 2
