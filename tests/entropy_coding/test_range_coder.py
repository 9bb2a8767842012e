"""The stream is the one that the format document describes, and the shortest."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dlf_jax.entropy_coding.range_coder import Decoder, Encoder, information
from dlf_jax.entropy_coding.tables import Distribution
from dlf_jax.entropy_coding.token_tables import token_distributions, uniform_frequencies
from tests.entropy_coding import streams
from tests.entropy_coding.streams import GAUSSIANS


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


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-300, 300), st.integers(0, 255)), max_size=40))
def test_any_symbols_match_exact_arithmetic(pairs):
    symbols = np.array([s for s, _ in pairs], np.int32)
    rows = np.array([r for _, r in pairs], np.int32)
    encoder = Encoder(GAUSSIANS)
    encoder.encode(symbols, rows)
    data = encoder.finish()
    assert not data.endswith(b"\0")
    exact = ExactDecoder(data)
    for i in np.argsort(rows, kind="stable"):
        row = GAUSSIANS[rows[i]]
        assert exact.next(256 * row.cdf) == row.intervals(symbols[i : i + 1])[0]


def test_uneven_symbols_match_exact_arithmetic():
    row = Distribution(np.array([0, 21845, 43690, 65536], np.int32))
    symbols = np.array([0, 1, 2, 2, 1, 0, 2], np.int32)
    encoder = Encoder([row])
    encoder.encode(symbols, np.zeros(7, np.int32))
    exact = ExactDecoder(encoder.finish())
    assert [exact.next(256 * row.cdf) for _ in symbols] == list(symbols)


def test_information_of_each_symbol():
    rng = np.random.default_rng(0)
    symbols, rows = streams.gaussian_symbols(rng, 500, spread=4.0)
    bits = information(symbols, rows, GAUSSIANS)
    for symbol, row, found in zip(symbols, rows, bits, strict=True):
        assert found == streams.information([symbol], np.array([row]))
    encoder = Encoder(GAUSSIANS)
    encoder.encode(symbols, rows)
    assert abs(len(encoder.finish()) - bits.sum() / 8) < 2


def test_literal_streams():
    bytes_row = token_distributions(uniform_frequencies(256))
    encoder = Encoder(bytes_row)
    assert encoder.finish() == b""
    encoder.encode(np.array([0xAB, 0xCD, 0xEF], np.int32), np.zeros(3, np.int32))
    # The interval starts just below ABCDEF: the first three-byte string inside it.
    assert encoder.finish() == bytes.fromhex("abcdef")
    encoder = Encoder(GAUSSIANS)
    encoder.encode(np.array([5, 0], np.int32), np.array([200, -1], np.int32))
    assert len(encoder.finish()) == 1


def test_decoder_needs_no_trailing_zeros():
    bytes_row = token_distributions(uniform_frequencies(256))
    rows = np.zeros(100, np.int32)
    encoder = Encoder(bytes_row)
    encoder.encode(rows, rows)
    assert encoder.finish() == b""
    for padding in (0, 1, 50):
        assert not Decoder(bytes(padding), bytes_row).decode(rows).any()
