"""Fixtures on the tiny codec."""

from pathlib import Path

import pytest

from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec.codec import Codec
from tests.codec.tiny import make_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A model directory."""
    directory = tmp_path_factory.mktemp("models") / "tiny"
    make_model(directory)
    return directory


@pytest.fixture(scope="session")
def tiny_codec(tiny_model) -> Codec:
    """The codec of `tiny_model`."""
    return Codec(load_model(tiny_model))
