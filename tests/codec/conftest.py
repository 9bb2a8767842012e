"""Fixtures on the tiny codec."""

import pytest

from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec.codec import Codec


@pytest.fixture(scope="session")
def tiny_codec(tiny_model) -> Codec:
    """The codec of `tiny_model`."""
    return Codec(load_model(tiny_model))
