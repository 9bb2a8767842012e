"""The whole codec against the official one, at reduced sizes."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.checkpoints.name_map import convert, name_map
from dlf_jax.entropy.gaussian import rounded_bits
from dlf_jax.models.dlf import DLF
from tests.golden.official_weights import (
    SIZES,
    SKIP_THRESHOLD,
    official_image,
    official_weights,
)
from tests.golden.sizes import official_config
from tests.x64 import x64

pytestmark = pytest.mark.slow  # twenty seconds, to compile

_FILE = Path(__file__).with_name("official.npz")


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    """Our network's stations, in float64, whose rounding no machine amplifies."""
    config = official_config(SIZES)
    entries = name_map(config)
    weights = official_weights({name: e.shape for name, e in entries.items()})

    def run(model, image):
        rate = jnp.zeros(1, jnp.int32)
        found = model.analyze(image, rate)
        prior = model.prior(rate, found.y.shape[1:3])
        coded = model.context(found.y, prior, SKIP_THRESHOLD)
        picture = model.synthesize(found.tokens, coded.y_hat, rate)
        bits = jnp.sum(rounded_bits(coded.symbols, coded.scales))
        return {
            "tokens": found.tokens,
            "y": found.y,
            "symbols": coded.symbols,
            "scales": coded.scales,
            "y_hat": coded.y_hat,
            "bpp": bits / (image.shape[1] * image.shape[2]),
            "picture": picture[:, ::8, ::8],
        }

    apply = jax.jit(lambda p, x: DLF(config).apply({"params": p}, x, method=run))
    with x64(True):
        return jax.device_get(apply(convert(weights, entries), official_image()))


@pytest.mark.parametrize("name", ["tokens", "symbols"])
def test_integers_are_the_same(found, name):
    with np.load(_FILE) as golden:
        assert len(np.unique(golden[name])) > 8
        np.testing.assert_array_equal(found[name], golden[name])


@pytest.mark.parametrize("name", "y scales y_hat bpp picture".split())
def test_stations_agree(found, name):
    with np.load(_FILE) as golden:
        expected = golden[name]
    error = np.abs(found[name] - expected) / np.maximum(1, np.abs(expected))
    assert found[name].shape == expected.shape
    assert error.max() <= 1e-9
