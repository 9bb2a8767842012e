"""Streams without their end give their beginning, and zeros."""

import numpy as np
import pytest

from dlf_jax.coding.range_coder import RangeSymbolDecoder, RangeSymbolEncoder
from dlf_jax.coding.salvage import SalvagingDecoder
from dlf_jax.coding.tables import load_gaussian_tables
from dlf_jax.errors import UserError

RNG = np.random.default_rng(5)
TOKENS = RNG.integers(1, 1000, 12)
INDEXES = RNG.integers(-1, 200, 400)
SCALES = load_gaussian_tables().scale_table[INDEXES]
SYMBOLS = np.where(INDEXES < 0, 0, np.rint(RNG.normal(scale=SCALES))).astype(int)
ESCAPED = [17, 33]
SYMBOLS[ESCAPED], INDEXES[ESCAPED] = (900, -1200), (190, 150)
# How the stream holds them: by ascending row.
ORDER = np.argsort(INDEXES, kind="stable")[np.sum(INDEXES < 0) :]


def stream():
    encoder = RangeSymbolEncoder()
    encoder.encode_uniform(TOKENS, 1000)
    encoder.encode_indexed(SYMBOLS, INDEXES)
    return encoder.finish()


def salvage(data):
    decoder = SalvagingDecoder(RangeSymbolDecoder(data), len(data))
    return decoder.decode_uniform(12, 1000), decoder.decode_indexed(INDEXES), decoder


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
    decoder = RangeSymbolDecoder(stream())

    def fail(indexes):
        raise UserError("impossible")

    monkeypatch.setattr(decoder, "decode_indexed", fail)
    salvaging = SalvagingDecoder(decoder, 10**6)
    np.testing.assert_array_equal(salvaging.decode_uniform(12, 1000), TOKENS)
    assert not salvaging.decode_indexed(INDEXES).any()
    assert salvaging.share == pytest.approx(12 / (12 + len(ORDER)))


def test_nothing_asked_for_is_all_there():
    assert SalvagingDecoder(RangeSymbolDecoder(b""), 0).share == 1.0
