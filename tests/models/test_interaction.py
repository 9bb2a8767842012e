import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.models.interaction import CrossBranchInteraction
from tests.random_params import random_params

MODULE = CrossBranchInteraction(num_blocks=1, head_width=4, grid=2)


@pytest.fixture(scope="module")
def streams():
    """Detail map of two images with 1x2 tiles, and the sequences of the four tiles."""
    rng = np.random.default_rng(0)
    shapes = (2, 2, 4, 8), (4, 6, 5)
    return [jnp.asarray(rng.normal(size=s), jnp.float32) for s in shapes]


@pytest.fixture(scope="module")
def params(streams):
    return random_params(MODULE, *streams)


def apply(params, detail, seq):
    return jax.jit(MODULE.apply)({"params": params}, detail, seq)


def test_starts_without_touching_the_streams(streams):
    fresh = jax.jit(MODULE.init)(jax.random.key(0), *streams)["params"]
    for ours, stream in zip(apply(fresh, *streams), streams, strict=True):
        np.testing.assert_array_equal(ours, stream)


def test_residuals_start_from_the_streams_without_positions(params, streams):
    silent = {
        **params,
        "detail_out": jax.tree.map(jnp.zeros_like, params["detail_out"]),
        "semantic_out": jax.tree.map(jnp.zeros_like, params["semantic_out"]),
        "semantic_positions": jnp.ones_like(params["semantic_positions"]),
        "detail_positions": jnp.ones_like(params["detail_positions"]),
    }
    for ours, stream in zip(apply(silent, *streams), streams, strict=True):
        np.testing.assert_array_equal(ours, stream)


def test_tiles_meet_their_own_sequences(params, streams):
    """A change in the sequence of the last tile reaches that tile's cells only."""
    detail, seq = streams
    changed, _ = apply(params, detail, seq.at[3].add(1.0))
    still, _ = apply(params, detail, seq)
    touched = np.abs(changed - still).sum(-1) > 1e-6
    expected = np.zeros((2, 2, 4), bool)
    expected[1, :, 2:] = True
    np.testing.assert_array_equal(touched, expected)
