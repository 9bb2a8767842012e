"""Streams without their end give their beginning, and zeros."""

import numpy as np
import pytest

from dlf_jax.entropy_coding.range_coder import Decoder, Encoder
from dlf_jax.entropy_coding.salvage import SalvagingDecoder
from dlf_jax.entropy_coding.tables import load_gaussian_tables
from dlf_jax.entropy_coding.token_tables import (
    fit_frequencies,
    token_distributions,
    uniform_frequencies,
)
from dlf_jax.errors import UserError

RNG = np.random.default_rng(5)
ROWS = load_gaussian_tables().rows
ROWS += token_distributions(uniform_frequencies(1000))
TOKENS, TOKEN_ROWS = RNG.integers(1, 1000, 12), np.full(12, 256)
INDEXES = RNG.integers(-1, 200, 400)
SCALES = load_gaussian_tables().scale_table[INDEXES]
SYMBOLS = np.where(INDEXES < 0, 0, np.rint(RNG.normal(scale=SCALES))).astype(int)
ESCAPED = [17, 33]
SYMBOLS[ESCAPED], INDEXES[ESCAPED] = (900, -1200), (190, 150)
# How the stream holds them: by ascending row.
ORDER = np.argsort(INDEXES, kind="stable")[np.sum(INDEXES < 0) :]


def stream():
    encoder = Encoder(ROWS)
    encoder.encode(TOKENS, TOKEN_ROWS)
    encoder.encode(SYMBOLS, INDEXES)
    return encoder.finish()


def salvage(data):
    decoder = SalvagingDecoder(Decoder(data, ROWS), ROWS, len(data))
    return decoder.decode(TOKEN_ROWS), decoder.decode(INDEXES), decoder


def test_every_cut_gives_a_beginning_and_then_zeros():
    data = stream()
    shares = []
    for length in range(len(data)):
        tokens, symbols, decoder = salvage(data[:length])
        found = np.concatenate([tokens, symbols[ORDER]])
        wanted = np.concatenate([TOKENS, SYMBOLS[ORDER]])
        there = round(decoder.share * len(wanted))
        assert not found[there:].any()
        # Escaped values lie behind all table entries and may be missing.
        escaped = np.concatenate([np.zeros(12, bool), np.isin(ORDER, ESCAPED)])
        np.testing.assert_array_equal(
            found[:there][~escaped[:there]], wanted[:there][~escaped[:there]]
        )
        shares.append(decoder.share)
    assert shares[:2] == [0.0, 0.0] and sorted(shares[::20]) == shares[::20]
    assert 0.3 < shares[len(data) // 2] < 0.8 and shares[-1] > 0.95


def test_impossible_data_ends_the_stream(monkeypatch):
    decoder = Decoder(stream(), ROWS)
    salvaging = SalvagingDecoder(decoder, ROWS, 10**6)
    np.testing.assert_array_equal(salvaging.decode(TOKEN_ROWS), TOKENS)

    def fail(rows):
        raise UserError("impossible")

    monkeypatch.setattr(decoder, "decode", fail)
    assert not salvaging.decode(INDEXES).any()
    assert salvaging.share == pytest.approx(12 / (12 + len(ORDER)))


def test_a_lost_token_is_the_likeliest():
    (row,) = token_distributions(fit_frequencies(np.array([[3, 0, 40, 7]])))
    decoder = SalvagingDecoder(Decoder(b"", [row]), [row], 0)
    assert decoder.decode(np.array([0, -1, 0])).tolist() == [2, 0, 2]


def test_nothing_asked_for_is_all_there():
    assert SalvagingDecoder(Decoder(b"", ROWS), ROWS, 0).share == 1.0
