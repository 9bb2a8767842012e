"""Fixtures on the tiny codec."""

import jax
import pytest

from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec.codec import Codec


@pytest.fixture(scope="session")
def tiny_codec(tiny_model) -> Codec:
    """The codec of `tiny_model`."""
    return Codec(load_model(tiny_model))


@pytest.fixture
def no_cache():
    """Turns jax's compile cache off during a test."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before)
