"""The context model in integers: close to the trained one, and the same everywhere."""

import contextlib
import hashlib
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import threadpoolctl

from dlf_jax.codec.latent_coding import decode_latent, encode_latent
from dlf_jax.entropy.four_step import FourStepContext
from dlf_jax.entropy_coding import fixed_point, integer_context
from dlf_jax.entropy_coding.fixed_point import ONE, quantize
from dlf_jax.entropy_coding.integer_context import IntegerContext
from dlf_jax.entropy_coding.partition import NUM_PARTS, part_masks
from dlf_jax.entropy_coding.range_coder import Decoder, Encoder
from dlf_jax.paths import flatten
from tests.entropy_coding.streams import GAUSSIANS
from tests.x64 import x64

CHANNELS, RATES, GRID = 8, 2, (5, 7)


def random_params(scale=1.0):
    """Weights of a float context model, `scale` times as large as is usual."""
    model = FourStepContext(CHANNELS, RATES, 3)

    def touch_everything(model):
        prior = model.prior(jnp.zeros(1, int), (2, 2))
        return model(jnp.zeros((1, 2, 2, CHANNELS)), prior)

    shapes = jax.eval_shape(
        lambda key: model.init(key, method=touch_everything), jax.random.key(0)
    )["params"]
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        values = rng.normal(size=leaf.shape)
        if path[-1].key == "kernel":
            values *= scale * np.prod(leaf.shape[:-1]) ** -0.5
        return values.astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def decoded_before(part, spread=3.0):
    """A latent of which only the positions before a part are known."""
    rng = np.random.default_rng(part)
    values = np.rint(rng.normal(size=(*GRID, CHANNELS)) * spread * ONE)
    return values * part_masks(*GRID, CHANNELS)[:part].any(0)


@pytest.mark.parametrize("rate", range(RATES))
def test_it_is_close_to_the_network_that_was_trained(rate):
    params = random_params()
    ours = IntegerContext(quantize(flatten(params)), 0.12).of_image(rate, GRID)

    @jax.jit
    def run(decoded):
        def method(model):
            prior = model.prior(jnp.array([rate]), GRID)
            steps = enumerate(decoded)
            return prior.step, [model.step(k, x, prior) for k, x in steps]

        model = FourStepContext(CHANNELS, RATES, 3)
        variables = {"params": jax.tree.map(jnp.asarray, params)}
        return model.apply(variables, method=method)

    decoded = [decoded_before(part) for part in range(NUM_PARTS)]
    step, parts = run([np.float32(x[None] / ONE) for x in decoded])
    np.testing.assert_allclose(ours.quant_step, step[0], 1e-3, 1e-3)
    for part, expected in enumerate(parts):
        for found, wanted in zip(ours.step(part, decoded[part]), expected, strict=True):
            assert np.abs(wanted).max() > 1
            error = np.abs(found / ONE - wanted[0]).max()
            assert error <= 5e-4 * np.abs(wanted).max()


def test_results_are_on_the_grid_and_masked():
    ours = IntegerContext(quantize(flatten(random_params())), 0.12).of_image(0, GRID)
    assert ours.quant_step.min() >= 0.5
    for part, mask in enumerate(part_masks(*GRID, CHANNELS)):
        for found in ours.step(part, decoded_before(part)):
            np.testing.assert_array_equal(found, np.rint(found))
            assert found[mask].any() and not found[~mask].any()


def test_enormous_values_saturate():
    ours = IntegerContext(quantize(flatten(random_params(8.0))), 0.12)
    image = ours.of_image(0, GRID)
    for part in range(NUM_PARTS):
        for found in image.step(part, decoded_before(part, spread=1e7)):
            assert np.abs(found).max() <= fixed_point.LIMIT


@pytest.mark.parametrize("grid", [(1, 1), (2, 5), (4, 6), (12, 3), (9, 11)])
def test_the_prior_is_that_of_the_whole_grid(grid):
    """It is computed for the cells near the borders and one that is far from them."""
    ours = IntegerContext(quantize(flatten(random_params())), 0.12)
    x = np.tile(ours.prior_vector[1], (*grid, 1))
    for name in ("prior_0", "prior_1"):
        x = ours.block(name, x)
    expected = x, fixed_point.dense(ours.layers["reduction"], x)
    for found, wanted in zip(ours.prior(1, grid), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_one_thread_is_for_all_that_are_inside():
    def threads():
        pools = integer_context._BLAS.info()  # NumPy's; SciPy may bring another
        return {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}

    before = threads()
    with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
        first.enter_context(integer_context._one_thread)
        second.enter_context(integer_context._one_thread)
        first.close()
        assert threads() == {1}
    assert threads() == before


def test_coding_does_not_search_for_libraries(monkeypatch):
    """The search can wait for ever for a thread that imports a compiled module."""
    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", None)
    ours = IntegerContext(quantize(flatten(random_params())), 0.12)
    ours.of_image(0, GRID).step(1, decoded_before(1))


def test_memory_is_cut_in_pieces_that_do_not_show(monkeypatch):
    ours = IntegerContext(quantize(flatten(random_params())), 0.12)
    whole = ours.of_image(1, GRID).step(1, decoded_before(1))
    monkeypatch.setattr("dlf_jax.entropy_coding.integer_context._CHUNK", 4)
    pieces = ours.of_image(1, GRID).step(1, decoded_before(1))
    np.testing.assert_array_equal(pieces, whole)


def fingerprint():
    """Of all that a wild context model computes."""
    ours = IntegerContext(quantize(flatten(random_params(3.0))), 0.12)
    digest = hashlib.sha256()
    for rate in range(RATES):
        image = ours.of_image(rate, GRID)
        digest.update(image.quant_step.tobytes())
        for part in range(NUM_PARTS):
            for found in image.step(part, decoded_before(part, 50.0)):
                digest.update(found.tobytes())
    return digest.hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        {"OPENBLAS_NUM_THREADS": "1"},
        {"OPENBLAS_NUM_THREADS": "2"},
        {"OPENBLAS_CORETYPE": "Nehalem"},
        {"OPENBLAS_CORETYPE": "Haswell"},
        {"JAX_ENABLE_X64": "1"},
        {"JAX_DEFAULT_MATMUL_PRECISION": "bfloat16"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F"},
    ],
    ids=lambda setting: "-".join(*setting.items()),
)
def test_every_setting_gives_the_same_bits(setting):
    program = "from tests.entropy_coding.test_integer_context import fingerprint as f;"
    found = subprocess.run(
        [sys.executable, "-c", f"{program} print(f())"],
        env={**os.environ, **setting},
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == fingerprint()


def symbols_in(dtype, params, y):
    """Symbols of a latent by the trained network in floating point."""
    with x64(dtype == np.float64):

        def method(model, y):
            return model(y, model.prior(jnp.zeros(1, int), GRID)).symbols

        variables = {"params": jax.tree.map(lambda x: jnp.asarray(x, dtype), params)}
        model = FourStepContext(CHANNELS, RATES, 3)
        return np.asarray(model.apply(variables, jnp.asarray(y, dtype), method=method))


def test_weights_on_which_floats_disagree_decode_exactly():
    """Means so steep that the last bit of a symbol's context moves the next symbols."""
    params = random_params(6.0)
    y = np.random.default_rng(1).normal(size=(1, *GRID, CHANNELS)).astype(np.float32)
    y *= 1e3
    single, double = (symbols_in(t, params, y) for t in (np.float32, np.float64))
    assert np.mean(single != double) > 0.2
    weights = quantize(flatten(params))
    encoder = Encoder(GAUSSIANS)
    written = encode_latent(y, IntegerContext(weights, 0.12).of_image(0, GRID), encoder)
    read = decode_latent(
        IntegerContext(weights, 0.12).of_image(0, GRID),
        Decoder(encoder.finish(), GAUSSIANS),
    )
    for found, wanted in zip(read, written, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert len(np.unique(written[0])) > 10
