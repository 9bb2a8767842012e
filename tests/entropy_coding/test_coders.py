"""Properties of every entropy coder, with the same symbols and distributions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlf_jax.entropy_coding.coders import CODERS, Coder, coder_id
from dlf_jax.entropy_coding.symbol_coder import MAX_SYMBOL, SymbolDecoder, SymbolEncoder
from dlf_jax.errors import UserError
from tests.entropy_coding.streams import (
    CODEBOOK,
    DISTRIBUTIONS,
    GAUSSIANS,
    gaussian_symbols,
    information,
    token_symbols,
)

# Bytes over the information of a stream: the mean over many, and a share of its length
# for what 16-bit renormalisation loses.
OVERHEAD = {"range": (1.0, 2e-5), "tfc": (1.5, 3e-4)}
# Bytes over those of the official coder; Elias gamma is long for huge values.
GOLDEN = {"range": 1.04, "tfc": 1.10}


def _installed(coder: Coder) -> bool:
    try:
        coder.encoder(DISTRIBUTIONS)
    except UserError:
        return False
    return True


def _parameters():
    for coder in CODERS.values():
        missing = not _installed(coder)
        reason = f"{coder.library} is not installed"
        skipped = pytest.mark.skipif(missing, reason=reason)
        yield pytest.param(coder, id=coder.name, marks=skipped)


every_coder = pytest.mark.parametrize("coder", list(_parameters()))


def write(coder, *parts):
    encoder = coder.encoder(DISTRIBUTIONS)
    for symbols, rows in parts:
        encoder.encode(symbols, rows)
    return encoder.finish()


def read(coder, data, *parts):
    decoder = coder.decoder(data, DISTRIBUTIONS)
    return [decoder.decode(rows) for _, rows in parts]


def assert_round_trip(coder, *parts):
    data = write(coder, *parts)
    for found, (symbols, _) in zip(read(coder, data, *parts), parts, strict=True):
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, symbols)
    return data


def test_coders_have_their_numbers_and_names():
    assert {number: coder.name for number, coder in CODERS.items()} == {
        0: "range",
        1: "tfc",
    }
    assert coder_id("tfc") == 1
    with pytest.raises(
        UserError, match="unknown entropy coder 'rans': use one of range, tfc"
    ):
        coder_id("rans")


def test_a_library_that_is_missing_is_named():
    with pytest.raises(UserError, match="'x' needs libx, which is not installed"):
        Coder("x", "x_coder", "libx").encoder(DISTRIBUTIONS)


@every_coder
def test_coders_are_what_the_codec_asks_for(coder):
    assert isinstance(coder.encoder(DISTRIBUTIONS), SymbolEncoder)
    assert isinstance(coder.decoder(b"", DISTRIBUTIONS), SymbolDecoder)


@every_coder
def test_stream_of_tokens_and_four_parts_round_trips(coder):
    rng = np.random.default_rng(0)
    parts = [gaussian_symbols(rng, 700, spread=1 + k) for k in range(4)]
    assert_round_trip(coder, token_symbols(rng, 8), *parts)


@every_coder
@pytest.mark.parametrize("row", [0, 1, 127, 255])
def test_every_outlier_round_trips(coder, row):
    edges = [MAX_SYMBOL, 4096, 1025, 101, 52, 51, 50, 49, 8, 7, 3, 2, 1, 0]
    symbols = np.array([s * sign for s in edges for sign in (1, -1)], np.int32)
    assert_round_trip(coder, (symbols, np.full(symbols.shape, row, np.int32)))


@every_coder
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-300, 300), st.integers(0, 255)), max_size=40))
def test_any_symbols_round_trip(coder, pairs):
    symbols = np.array([s for s, _ in pairs], np.int32)
    assert_round_trip(coder, (symbols, np.array([r for _, r in pairs], np.int32)))


@every_coder
@pytest.mark.parametrize("count", [0, 3, 30, 300, 3000])
def test_stream_is_hardly_longer_than_its_information(coder, count):
    rng = np.random.default_rng(count)
    overheads, longest = [], 0.0
    for _ in range(20):
        parts = token_symbols(rng, 1), gaussian_symbols(rng, count, spread=0.5)
        size = sum(information(*part) for part in parts) / 8
        overheads.append(len(write(coder, *parts)) - size)
        longest = max(longest, size)
    constant, share = OVERHEAD[coder.name]
    assert np.mean(overheads) < constant + share * longest
    assert np.max(overheads) < constant + 1 + share * longest


@every_coder
@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 2**32 - 1))
def test_arbitrary_bytes_give_symbols_or_a_user_error(coder, data, seed):
    rng = np.random.default_rng(seed)
    decoder = coder.decoder(data, DISTRIBUTIONS)
    try:
        tokens = decoder.decode(np.arange(8) + len(GAUSSIANS))
        assert tokens.min() >= 0 and tokens.max() < CODEBOOK
        for _ in range(4):
            rows = rng.integers(-1, 256, 50).astype(np.int32)
            symbols = decoder.decode(rows)
            assert symbols.shape == rows.shape and np.abs(symbols).max() < 2**16
    except UserError as error:
        assert "damaged" in str(error)


@every_coder
def test_values_that_cannot_be_coded_are_refused(coder):
    encoder = coder.encoder(DISTRIBUTIONS)
    one = np.ones(1, np.int32)
    with pytest.raises(ValueError, match="outside"):
        encoder.encode(CODEBOOK * one, len(GAUSSIANS) * one)
    with pytest.raises(ValueError, match="beyond"):
        encoder.encode((MAX_SYMBOL + 1) * one, one)
    with pytest.raises(ValueError, match="not coded"):
        encoder.encode(one, -one)


@every_coder
def test_golden_symbols_take_about_the_bytes_of_the_official_coder(coder, parity):
    golden = np.load(parity / "entropy" / "entropy_vectors.npz")
    names = {key.rsplit(".", 1)[0] for key in golden if key.startswith("rans.")}
    assert len(names) >= 8
    for name in sorted(names):
        rows = golden[f"{name}.indexes"].astype(np.int32)
        # What is not coded decodes to 0, whatever the symbol was.
        symbols = np.where(rows < 0, 0, golden[f"{name}.symbols"]).astype(np.int32)
        data = assert_round_trip(coder, (symbols, rows))
        assert len(data) <= GOLDEN[coder.name] * len(golden[f"{name}.bytes"]), name
