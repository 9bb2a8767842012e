"""Files and a model of an earlier version decode to the bits of that version."""

from pathlib import Path

import numpy as np
import pytest

import dlf_jax
from dlf_jax.codec.codec import Codec
from dlf_jax.codec.network import Analysis

_KEPT = Path(__file__).with_name("kept")
_MODELS = {"tiny": _KEPT / "model", "nano": "dlf-nano"}


@pytest.fixture(params=_MODELS, scope="module")
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def data(name) -> bytes:
    return (_KEPT / f"{name}.dlf").read_bytes()


@pytest.fixture(scope="module")
def codec(name) -> Codec:
    return dlf_jax.load(_MODELS[name])


@pytest.fixture(scope="module")
def expected(name) -> dict[str, np.ndarray]:
    with np.load(_KEPT / f"{name}.npz") as arrays:
        return dict(arrays)


def test_decoding_gives_the_same_symbols_and_latent(codec, data, expected):
    _, code = codec.decode(data)
    np.testing.assert_array_equal(code.tokens, expected["tokens"])
    np.testing.assert_array_equal(code.symbols, expected["symbols"])
    assert code.y_hat.dtype == np.float32
    np.testing.assert_array_equal(code.y_hat, expected["y_hat"])


def test_the_picture_is_within_one_level(codec, data, expected):
    picture = codec.decompress(data)[::2, ::2].astype(int)
    assert np.abs(picture - expected["picture"]).max() <= 1


def test_encoding_what_was_decoded_gives_the_same_bytes(codec, data, monkeypatch):
    header, code = codec.decode(data)
    analysis = Analysis(code.tokens, lambda rate: code.y_hat)
    monkeypatch.setattr(codec.network, "analyze", lambda image: analysis)
    image = np.zeros((header.height, header.width, 3), np.uint8)
    assert codec.encode(image, header.rate)[0] == data


def test_a_file_finds_the_bundled_model_that_wrote_it():
    data = (_KEPT / "nano.dlf").read_bytes()
    with np.load(_KEPT / "nano.npz") as arrays:
        picture = dlf_jax.decompress(data)[::2, ::2].astype(int)
        assert np.abs(picture - arrays["picture"]).max() <= 1
