"""Symbols as a codec has them, and what they carry."""

import numpy as np

from dlf_jax.entropy_coding.tables import load_gaussian_tables
from dlf_jax.entropy_coding.token_tables import fit_frequencies, token_distributions

GAUSSIANS = load_gaussian_tables().rows
POSITIONS, CODEBOOK = 8, 1000
TOKENS = token_distributions(
    fit_frequencies(np.random.default_rng(0).geometric(0.1, (POSITIONS, CODEBOOK)))
)
DISTRIBUTIONS = (*GAUSSIANS, *TOKENS)


def gaussian_symbols(rng, count, rows=256, spread=1.0):
    """Random rows (some -1) and symbols drawn from about their distributions."""
    rows = rng.integers(-1, rows, count).astype(np.int32)
    scales = load_gaussian_tables().scale_table[rows] * spread
    symbols = np.round(rng.normal(size=count) * scales)
    return np.where(rows < 0, 0, symbols).astype(np.int32), rows


def token_symbols(rng, tiles):
    """Tokens drawn from their distributions, and the rows of these."""
    rows = np.tile(len(GAUSSIANS) + np.arange(POSITIONS), tiles).astype(np.int32)
    probabilities = [d.frequencies / 65536 for d in TOKENS]
    tokens = [rng.choice(CODEBOOK, p=probabilities[r - len(GAUSSIANS)]) for r in rows]
    return np.array(tokens, np.int32), rows


def information(symbols, rows, distributions=DISTRIBUTIONS):
    """Sum of -log2 p over all coded symbols, with the bits of escaped values."""
    bits = 0.0
    for symbol, row in zip(symbols, rows.tolist(), strict=True):
        if row < 0:
            continue
        distribution = distributions[row]
        (interval,) = distribution.intervals(np.array([symbol]))
        if interval == distribution.size:
            entry = symbol - distribution.offset
            value = -2 * entry if entry < 0 else 2 * (entry - distribution.size) + 1
            bits += 4 + np.floor(np.log2(value))
        bits += distribution.bits[interval]
    return bits
