"""Usage statistics and revival of unused entries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.training.step.codebooks import count_codes, perplexity, revive_unused


def test_counts():
    counts = count_codes(jnp.array([[0, 3], [3, 3]]), 5)
    np.testing.assert_array_equal(counts, [1, 0, 0, 3, 0])


def test_perplexity_is_the_number_of_codes_in_even_use():
    assert perplexity(jnp.array([5.0, 5.0, 0.0, 5.0])) == pytest.approx(3.0, rel=1e-5)
    assert perplexity(jnp.array([0.0, 7.0])) == pytest.approx(1.0, rel=1e-5)


def test_only_unused_entries_become_vectors_of_the_batch():
    codebook = jnp.arange(8.0).reshape(4, 2)
    vectors = 100.0 + jnp.arange(12.0).reshape(2, 3, 2)
    usage = jnp.array([10.0, 0.0, 30.0, 0.1])
    revived = np.asarray(revive_unused(jax.random.key(0), codebook, usage, vectors))
    np.testing.assert_array_equal(revived[[0, 2]], codebook[jnp.array([0, 2])])
    candidates = np.asarray(vectors).reshape(-1, 2).tolist()
    assert revived[1].tolist() in candidates and revived[3].tolist() in candidates
