"""Probabilities of the semantic tokens: static, one distribution for each position.

A trained model uses its codebook unevenly, and differently at each position of a tile.
Positions are the only context here; a richer context would choose among more rows.
"""

import numpy as np
from jaxtyping import Float, Int

from dlf_jax.entropy_coding.tables import TOTAL, Distribution

# Weight of the prior, in observations: uniform for the shared distribution, the shared
# distribution for each position.
_PRIOR_COUNT = 64.0


def uniform_frequencies(codebook_size: int) -> Int[np.ndarray, "1 K"]:
    """Frequencies of equally likely tokens, one row for all positions.

    Raises:
      ValueError: the codebook has more entries than `TOTAL`, or fewer than two.
    """
    return _to_counts(np.full((1, codebook_size), 1.0 / codebook_size))


def fit_frequencies(counts: Int[np.ndarray, "P K"]) -> Int[np.ndarray, "P K"]:
    """Frequencies of tokens, estimated from their counts at each position.

    Every token stays codable.  A Dirichlet prior smooths the counts twice: the sum over
    positions towards uniform frequencies, each position towards this smoothed sum.

    Args:
      counts: occurrences of each token at each position in training data.
    """
    shared = _smoothed(
        counts.sum(axis=0), np.full(counts.shape[1], 1 / counts.shape[1])
    )
    return _to_counts(np.stack([_smoothed(row, shared) for row in counts]))


def token_distributions(
    frequencies: Int[np.ndarray, "P K"],
) -> tuple[Distribution, ...]:
    """The distribution of each position, or a single one for all positions.

    Raises:
      ValueError: frequencies are not positive, or a row's sum is not `TOTAL`.
    """
    frequencies = np.asarray(frequencies, np.int64)
    if np.any(frequencies < 1) or np.any(frequencies.sum(axis=1) != TOTAL):
        raise ValueError(f"token frequencies are not positive numbers of sum {TOTAL}")
    cdf = np.pad(np.cumsum(frequencies, axis=1), ((0, 0), (1, 0)))
    return tuple(Distribution(row.astype(np.int32)) for row in cdf)


def min_bits(distributions: tuple[Distribution, ...], num_tokens: int) -> int:
    """Lower bound of the bits of a tile's tokens, rounded down for each token."""
    largest = [int(d.frequencies.max()) for d in distributions]
    least = [TOTAL.bit_length() - 1 - (f - 1).bit_length() for f in largest]
    return sum(least) * num_tokens // len(least)


def _smoothed(
    counts: Int[np.ndarray, "K"], prior: Float[np.ndarray, "K"]
) -> Float[np.ndarray, "K"]:
    return (counts + _PRIOR_COUNT * prior) / (counts.sum() + _PRIOR_COUNT)


def _to_counts(probabilities: Float[np.ndarray, "P K"]) -> Int[np.ndarray, "P K"]:
    """Integer frequencies of sum `TOTAL`, at least 1 each; largest remainders up."""
    _, size = probabilities.shape
    if not 2 <= size <= TOTAL:
        raise ValueError(f"a codebook has 2 to {TOTAL} entries, not {size}")
    exact = probabilities * (TOTAL - size)
    counts = 1 + np.floor(exact).astype(np.int64)
    for row, remainder in zip(counts, exact - np.floor(exact), strict=True):
        missing = TOTAL - row.sum()
        row[np.argsort(-remainder, kind="stable")[:missing]] += 1
    return counts
