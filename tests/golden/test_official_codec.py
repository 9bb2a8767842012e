"""Stations of the official codec that every installation can check.

All of its stations, and its pictures, need all of its weights: see ``tests/parity``.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.checkpoints.name_map import convert, name_map
from dlf_jax.entropy.gaussian import rounded_bits
from dlf_jax.models.dlf import DLF
from tests.golden.select_codec import CASES, select_codec
from tests.golden.select_units import restore
from tests.golden.sizes import official_config

pytestmark = pytest.mark.usefixtures("highest_precision")


@pytest.fixture(scope="module")
def official() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).with_name("official_codec.npz")) as file:
        return restore(dict(file))


@pytest.fixture(scope="module")
def apply(official):
    """Runs a function of the network, compiled, on the shipped weights."""
    config = official_config(json.loads(str(official["sizes"])))
    state = {
        name.removeprefix("weights/"): array
        for name, array in official.items()
        if name.startswith("weights/")
    }
    entries = {name: name_map(config)[name] for name in state}
    params = jax.tree.map(jnp.asarray, convert(state, entries))

    def apply(method, *args):
        run = jax.jit(lambda p, *a: DLF(config).apply({"params": p}, *a, method=method))
        return run(params, *args)

    return apply


@pytest.fixture(params=CASES)
def case(request, official):
    """Arrays of one input, channels last, and below which scale symbols are skipped."""
    arrays = {
        name.removeprefix(f"{request.param}."): np.moveaxis(array, 1, -1)
        if array.ndim == 4
        else array
        for name, array in official.items()
        if name.startswith(f"{request.param}.")
    }
    return arrays, CASES[request.param]


def assert_close(found, expected, tolerance=2e-5):
    """Compares relative to max(1, |expected|)."""
    assert found.shape == expected.shape
    error = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    assert error.max() <= tolerance


def test_shipped_arrays_are_the_official_ones(official, parity):
    complete = select_codec(parity / "tiny_a")
    assert official.keys() == complete.keys()
    for name, array in official.items():
        np.testing.assert_array_equal(array, complete[name])


def test_tokens_of_the_semantic_vectors(apply, case):
    arrays, _ = case
    vectors = jnp.asarray(arrays["vectors"][:, 0])
    tokens = apply(lambda model, x: model.tokens(x).indices, vectors)
    assert len(np.unique(tokens)) > 10
    np.testing.assert_array_equal(tokens, arrays["tokens"][:, 0])


def test_symbols_scales_and_bits_of_the_latent(apply, case):
    arrays, skip_threshold = case
    batch, height, width, _ = arrays["y"].shape

    def code(model, y):
        prior = model.prior(jnp.zeros(batch, jnp.int32), (height, width))
        coded = model.context(y, prior, skip_threshold)
        return prior.step, coded, rounded_bits(coded.symbols, coded.scales)

    step, coded, bits = apply(code, jnp.asarray(arrays["y"]))
    assert len(np.unique(coded.symbols)) > 8
    np.testing.assert_array_equal(coded.symbols, arrays["symbols"])
    assert_close(step, arrays["step"])
    assert_close(coded.scales, arrays["scales"])
    assert_close(coded.y_hat, arrays["y_hat"])
    pixels = batch * 32 * height * 32 * width
    # 1.1e-5 with jax 0.5.3.
    np.testing.assert_allclose(bits.sum() / pixels, arrays["bpp"], rtol=2e-5)


def test_latent_of_the_logits(apply, case):
    arrays, _ = case

    def look_up(model, logits):
        latent = model.vqgan.lookup(logits)
        return latent, model.vqgan.post_quant_conv(latent)

    latent, projected = apply(look_up, jnp.asarray(arrays["logits"]))
    assert_close(latent, arrays["latent"])
    if "projected" in arrays:
        assert_close(projected, arrays["projected"])
