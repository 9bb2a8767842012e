"""The whole codec against golden data that every installation can check."""

from pathlib import Path

import numpy as np
import pytest

from tests.golden.codec import stations

_FILE = Path(__file__).with_name("codec.npz")


@pytest.fixture(scope="module")
def found():
    return stations()


@pytest.mark.parametrize("name", ["tokens", "symbols"])
def test_integers_are_the_same(found, name):
    with np.load(_FILE) as golden:
        assert len(np.unique(golden[name])) > 2
        np.testing.assert_array_equal(found[name], golden[name])


@pytest.mark.parametrize(
    "name", "y step residuals scales y_hat bits logits latent recon".split()
)
def test_stations_agree(found, name):
    with np.load(_FILE) as golden:
        expected = golden[name]
    error = np.abs(found[name] - expected) / np.maximum(1, np.abs(expected))
    assert found[name].dtype == np.float64
    assert error.max() <= 1e-9
