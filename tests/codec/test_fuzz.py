"""Arbitrary bytes give symbols or one line of error, in bounded time and memory."""

import resource
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec.codec import Codec
from dlf_jax.codec.container import Header, pack, parse
from dlf_jax.errors import UserError
from dlf_jax.limits import Limits
from tests.codec.tiny import random_image

_SIZES = [(1, 1), (10, 15), (40, 70)]
_MAX_SECONDS = 5.0  # of one input; the median is below a hundredth
_MAX_BYTES = 64 * 2**20  # that all inputs together may add to the process


@pytest.fixture(scope="module")
def files(tiny_codec):
    """A file of every size and rate."""
    return [
        tiny_codec.compress(random_image(*size, seed), rate)
        for seed, size in enumerate(_SIZES)
        for rate in range(tiny_codec.num_rates)
    ]


def decodes(codec: Codec, data: bytes) -> bool:
    """True if bytes are accepted; an error of more than one line fails the test."""
    start = time.perf_counter()
    try:
        _, code = codec.decode(data)
        assert np.isfinite(code.y_hat).all()
        accepted = True
    except UserError as error:
        assert "\n" not in str(error) and str(error)
        accepted = False
    assert time.perf_counter() - start < _MAX_SECONDS
    return accepted


def test_no_changed_byte_and_no_cut_goes_unnoticed(tiny_codec, files):
    for data in files[::2]:
        for i in range(len(data)):
            assert not decodes(tiny_codec, data[:i])
            for change in (1, 128, 255, 90):
                changed = data[:i] + bytes([data[i] ^ change]) + data[i + 1 :]
                assert not decodes(tiny_codec, changed)


@pytest.mark.slow
def test_a_hundred_thousand_mutations(tiny_codec, files):
    rng = np.random.default_rng(0)
    decodes(tiny_codec, files[-1])  # whatever is allocated once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted = 0
    for _ in range(98_000):
        accepted += decodes(tiny_codec, _blindly(rng, files))
    # Every 65536th passes the checksum by chance.
    assert accepted < 20
    accepted = 0
    for _ in range(2_000):
        accepted += decodes(tiny_codec, _knowingly(rng, files))
    assert accepted > 200
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert 1024 * (after - before) < _MAX_BYTES


def _blindly(rng: np.random.Generator, files: list[bytes]) -> bytes:
    """A file with bytes changed, put in, taken out, or joined with another one."""
    data = bytearray(files[rng.integers(len(files))])
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(len(data) + 1))
        kind = rng.integers(4)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.integers(8)
        elif kind == 1:
            data[at:at] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 2:
            del data[at : at + int(rng.integers(1, 9))]
        else:
            data[at:] = files[rng.integers(len(files))][at:]
    mutant = bytes(data)
    return mutant if mutant not in files else mutant + b"\1"


def _knowingly(rng: np.random.Generator, files: list[bytes]) -> bytes:
    """A file with a right checksum over a wrong header, payload, or both."""
    file = parse(files[rng.integers(len(files))])
    header, payload = file.header, file.payload
    fields = [header.rate, header.width, header.height]
    if rng.integers(2):
        where = rng.integers(3)
        fields[where] = int(rng.choice([0, 1, 2, 16, 127, 128, 2**14, 2**31, 2**34]))
    if rng.integers(2):
        broken = bytearray(payload + rng.bytes(int(rng.integers(4))))
        for _ in range(rng.integers(1, 5)):
            broken[rng.integers(len(broken))] = rng.integers(256)
        payload = bytes(broken[: rng.integers(1, len(broken) + 1)])
    return pack(Header(header.model_id, *fields), payload)


@pytest.mark.slow
def test_best_effort_gives_an_image_or_an_error(tiny_model, files):
    codec = Codec(load_model(tiny_model), Limits(pixels=5000))
    rng = np.random.default_rng(1)
    found = 0
    for trial in range(300):
        data = (_blindly, _knowingly)[trial % 2](rng, files)
        try:
            image, share = codec.salvage(parse(data, damaged=True))
        except UserError as error:
            assert "\n" not in str(error) and str(error)
            continue
        assert image.dtype == np.uint8 and image.ndim == 3 and 0 <= share <= 1
        found += 1
    assert 50 < found < 280


@pytest.mark.slow  # every size is compiled
@settings(max_examples=5, deadline=None)
@given(
    height=st.integers(1, 600), width=st.integers(1, 600), rate=st.sampled_from([0, 1])
)
def test_any_size_decodes_to_what_was_encoded(tiny_codec, height, width, rate):
    data, code = tiny_codec.encode(random_image(height, width), rate)
    header, found = tiny_codec.decode(data)
    assert (header.height, header.width, header.rate) == (height, width, rate)
    np.testing.assert_array_equal(found.tokens, code.tokens)
    np.testing.assert_array_equal(found.symbols, code.symbols)
    assert len(data) <= 16 + len(parse(data).payload)
