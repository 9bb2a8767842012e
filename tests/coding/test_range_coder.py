"""Streams give back their symbols, are as short as they can be, and never crash."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlf_jax.coding.range_coder import RangeSymbolDecoder, RangeSymbolEncoder
from dlf_jax.coding.symbol_coder import MAX_SYMBOL
from dlf_jax.coding.tables import load_gaussian_tables
from dlf_jax.errors import UserError


class ExactDecoder:
    """The decoding rule of the module docstring in arbitrary-precision integers."""

    def __init__(self, data: bytes):
        self.value = int.from_bytes(data, "big")
        self.bits = 8 * len(data)
        self.low, self.range, self.shift = 0, 2**64 - 1, 64

    def next(self, cumulative: list[int]) -> int:
        scale = self.range >> 24
        place = self.value << self.shift >> self.bits
        quantile = (place - self.low) // scale
        entry = int(np.searchsorted(cumulative, quantile, side="right")) - 1
        self.low += scale * int(cumulative[entry])
        self.range = scale * int(cumulative[entry + 1] - cumulative[entry])
        if self.range < 2**32:
            self.low, self.range = self.low << 32, self.range << 32
            self.shift += 32
        return entry


def gaussian_symbols(rng, count, rows=256, spread=1.0):
    """Random indexes (some -1) and symbols drawn from about their distributions."""
    indexes = rng.integers(-1, rows, count).astype(np.int32)
    scales = load_gaussian_tables().scale_table[indexes] * spread
    symbols = np.round(rng.normal(size=count) * scales)
    return np.where(indexes < 0, 0, symbols).astype(np.int32), indexes


def information(symbols, indexes):
    """Sum of -log2 p over all coded symbols, with the bits of escaped values."""
    tables = load_gaussian_tables()
    bits = 0.0
    for symbol, row in zip(symbols, indexes.tolist(), strict=True):
        if row < 0:
            continue
        entry, top = symbol - tables.offset[row], tables.cdf_length[row] - 2
        if not 0 <= entry < top:
            value = -2 * entry if entry < 0 else 2 * (entry - top) + 1
            bits += 4 + np.floor(np.log2(value))
            entry = top
        bits -= np.log2(tables.frequencies(row)[entry] / 65536)
    return bits


def test_stream_of_tokens_and_four_parts_round_trips():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4096, 64).astype(np.int32)
    parts = [gaussian_symbols(rng, 700, spread=1 + k) for k in range(4)]
    encoder = RangeSymbolEncoder()
    encoder.encode_uniform(tokens, 4096)
    for symbols, indexes in parts:
        encoder.encode_indexed(symbols, indexes)
    decoder = RangeSymbolDecoder(encoder.finish())
    np.testing.assert_array_equal(decoder.decode_uniform(64, 4096), tokens)
    for symbols, indexes in parts:
        np.testing.assert_array_equal(decoder.decode_indexed(indexes), symbols)


@pytest.mark.parametrize("row", [0, 1, 127, 255])
def test_every_outlier_round_trips(row):
    edges = [MAX_SYMBOL, 4096, 1025, 101, 52, 51, 50, 49, 8, 7, 3, 2, 1, 0]
    symbols = np.array([s * sign for s in edges for sign in (1, -1)], np.int32)
    indexes = np.full(symbols.shape, row, np.int32)
    encoder = RangeSymbolEncoder()
    encoder.encode_indexed(symbols, indexes)
    decoded = RangeSymbolDecoder(encoder.finish()).decode_indexed(indexes)
    np.testing.assert_array_equal(decoded, symbols)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-300, 300), st.integers(0, 255)), max_size=40))
def test_any_symbols_round_trip_and_match_exact_arithmetic(pairs):
    symbols = np.array([s for s, _ in pairs], np.int32)
    indexes = np.array([i for _, i in pairs], np.int32)
    encoder = RangeSymbolEncoder()
    encoder.encode_indexed(symbols, indexes)
    data = encoder.finish()
    decoded = RangeSymbolDecoder(data).decode_indexed(indexes)
    np.testing.assert_array_equal(decoded, symbols)
    assert not data.endswith(b"\0")

    tables, exact = load_gaussian_tables(), ExactDecoder(data)
    for i in np.argsort(indexes, kind="stable"):
        cumulative = tables.cdf[indexes[i], : tables.cdf_length[indexes[i]]] * 256
        entry = exact.next(cumulative)
        inside = 0 <= symbols[i] - tables.offset[indexes[i]] < len(cumulative) - 2
        assert entry == (
            symbols[i] - tables.offset[indexes[i]] if inside else len(cumulative) - 2
        )


def test_uniform_symbols_match_exact_arithmetic():
    symbols = np.array([0, 1, 2, 2, 1, 0, 2], np.int32)
    encoder = RangeSymbolEncoder()
    encoder.encode_uniform(symbols, 3)
    third = 2**24 // 3
    exact = ExactDecoder(encoder.finish())
    assert [exact.next([0, third, 2 * third, 2**24]) for _ in symbols] == list(symbols)


def test_literal_streams():
    encoder = RangeSymbolEncoder()
    assert encoder.finish() == b""
    encoder.encode_uniform(np.array([0xAB, 0xCD, 0xEF], np.int32), 256)
    # The interval starts just below ABCDEF: the first three-byte string inside it.
    assert encoder.finish() == bytes.fromhex("abcdef")
    encoder = RangeSymbolEncoder()
    encoder.encode_indexed(np.array([5, 0], np.int32), np.array([200, -1], np.int32))
    assert len(encoder.finish()) == 1


@pytest.mark.parametrize("count", [0, 3, 30, 300, 3000])
def test_stream_is_at_most_a_byte_longer_than_its_information(count):
    rng = np.random.default_rng(count)
    overheads = []
    for _ in range(20):
        symbols, indexes = gaussian_symbols(rng, count, spread=0.5)
        tokens = rng.integers(0, 1024, 8).astype(np.int32)
        encoder = RangeSymbolEncoder()
        encoder.encode_uniform(tokens, 1024)
        encoder.encode_indexed(symbols, indexes)
        bits = information(symbols, indexes) + 80
        overheads.append(len(encoder.finish()) - bits / 8)
    assert np.mean(overheads) < 1.0 + 2e-5 * count
    assert np.max(overheads) < 2.0


def test_decoder_needs_no_trailing_zeros():
    encoder = RangeSymbolEncoder()
    encoder.encode_uniform(np.zeros(100, np.int32), 256)
    assert encoder.finish() == b""
    for padding in (0, 1, 50):
        decoded = RangeSymbolDecoder(bytes(padding)).decode_uniform(100, 256)
        assert not decoded.any()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 2**32 - 1))
def test_arbitrary_bytes_give_symbols_or_a_user_error(data, seed):
    rng = np.random.default_rng(seed)
    decoder = RangeSymbolDecoder(data)
    try:
        tokens = decoder.decode_uniform(8, 1000)
        assert tokens.min() >= 0 and tokens.max() < 1000
        for _ in range(4):
            indexes = rng.integers(-1, 256, 50).astype(np.int32)
            symbols = decoder.decode_indexed(indexes)
            assert symbols.shape == indexes.shape and np.abs(symbols).max() < 2**16
    except UserError as error:
        assert "damaged" in str(error)


def test_values_that_cannot_be_coded_are_refused():
    encoder = RangeSymbolEncoder()
    one = np.ones(1, np.int32)
    with pytest.raises(ValueError, match="outside"):
        encoder.encode_uniform(4 * one, 4)
    with pytest.raises(ValueError, match="beyond"):
        encoder.encode_indexed((MAX_SYMBOL + 1) * one, one)
    with pytest.raises(ValueError, match="not coded"):
        encoder.encode_indexed(one, -one)


def test_golden_symbols_take_about_the_bytes_of_the_official_coder(parity):
    golden = np.load(parity / "entropy" / "entropy_vectors.npz")
    names = {key.rsplit(".", 1)[0] for key in golden if key.startswith("rans.")}
    assert len(names) >= 8
    for name in sorted(names):
        indexes = golden[f"{name}.indexes"].astype(np.int32)
        # What is not coded decodes to 0, whatever the symbol was.
        symbols = np.where(indexes < 0, 0, golden[f"{name}.symbols"]).astype(np.int32)
        encoder = RangeSymbolEncoder()
        encoder.encode_indexed(symbols, indexes)
        data = encoder.finish()
        decoded = RangeSymbolDecoder(data).decode_indexed(indexes)
        np.testing.assert_array_equal(decoded, symbols, name)
        assert len(data) <= 1.04 * len(golden[f"{name}.bytes"]), name
