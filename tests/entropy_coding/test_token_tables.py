"""Token probabilities are proper, follow their counts, and leave no token out."""

import numpy as np
import pytest

from dlf_jax.entropy_coding.token_tables import (
    fit_frequencies,
    min_bits,
    token_distributions,
    uniform_frequencies,
)


@pytest.mark.parametrize("size", [2, 50, 1024, 4096, 65536])
def test_uniform_tokens_differ_by_at_most_one_count(size):
    frequencies = uniform_frequencies(size)
    assert frequencies.shape == (1, size)
    assert frequencies.sum() == 65536
    assert frequencies.max() - frequencies.min() <= (65536 % size > 0)


@pytest.mark.parametrize("size", [1, 65537])
def test_codebooks_that_counts_cannot_hold_are_refused(size):
    with pytest.raises(ValueError, match="2 to 65536 entries"):
        uniform_frequencies(size)


def test_unseen_tokens_stay_codable_and_positions_share_what_they_know():
    counts = np.zeros((2, 100), int)
    counts[0, 7], counts[1, 8] = 10_000, 10
    frequencies = fit_frequencies(counts)
    assert (frequencies.sum(axis=1) == 65536).all() and frequencies.min() >= 1
    assert frequencies[0].argmax() == 7
    assert frequencies[0, 7] > 0.98 * 65536
    # Position 1 was hardly seen: it expects what is frequent elsewhere.
    assert frequencies[1].argmax() == 7 and frequencies[1, 8] > 0.1 * 65536
    assert frequencies[1, 8] > 100 * frequencies[1, 9]


def test_fitted_tables_cost_about_the_entropy():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(200, 0.1), size=4)
    seen = np.stack([rng.multinomial(20_000, row) for row in p])
    bits = -np.log2(fit_frequencies(seen) / 65536)
    entropy = -np.sum(p * np.log2(np.maximum(p, 1e-12)), axis=1)
    excess = np.sum(p * bits, axis=1) - entropy
    assert (excess > 0).all() and (excess < 0.05).all()


def test_distributions_hold_the_counts():
    frequencies = fit_frequencies(np.arange(12).reshape(3, 4))
    rows = token_distributions(frequencies)
    for row, wanted in zip(rows, frequencies, strict=True):
        np.testing.assert_array_equal(row.frequencies, wanted)
        assert (row.offset, row.escape, row.size) == (0, False, 4)
    for wrong in (frequencies + 1, frequencies * [[0, 1, 1, 1]]):
        with pytest.raises(ValueError, match="positive numbers of sum 65536"):
            token_distributions(wrong)


def test_no_tile_takes_fewer_bits():
    assert min_bits(token_distributions(uniform_frequencies(1024)), 8) == 80
    assert min_bits(token_distributions(uniform_frequencies(1000)), 8) == 72
    skewed = token_distributions(np.array([[65535, 1], [16384, 49152]]))
    assert min_bits(skewed, 2) == 0
    quarter = token_distributions(np.array([[16384] * 4, [16384] * 4]))
    assert min_bits(quarter, 2) == 4
