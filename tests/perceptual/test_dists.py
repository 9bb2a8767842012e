"""DISTS against its definition in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate

from dlf_jax.perceptual.backbone import l2_pool
from dlf_jax.perceptual.dists import DISTS
from tests.random_params import random_params

_POOLED, _TAPS = (2, 4, 7, 10), (1, 3, 6, 9, 12)


def _filtered(x, kernel):
    x = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    maps = [
        correlate(x, kernel[..., o], mode="valid")[..., 0]
        for o in range(kernel.shape[-1])
    ]
    return np.stack(maps, axis=-1)


def _pooled(x):
    hann = np.hanning(5)[1:-1]
    window = np.outer(hann, hann) / hann.sum() ** 2
    channels = [
        _filtered(x[..., c : c + 1] ** 2, window[:, :, None, None])
        for c in range(x.shape[-1])
    ]
    return np.sqrt(np.concatenate(channels, -1)[::2, ::2] + 1e-12)


def _maps(x, params):
    maps = [x]
    x = (x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    for i in range(13):
        x = _pooled(x) if i in _POOLED else x
        layer = jax.tree.map(np.float64, params[f"conv_{i}"])
        x = np.maximum(_filtered(x, layer["kernel"]) + layer["bias"], 0)
        maps += [x] if i in _TAPS else []
    return maps


def _reference(image, recon, params):
    means, covariances = [], []
    for x, y in zip(_maps(image, params), _maps(recon, params), strict=True):
        x, y = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])
        mx, my = x.mean(0), y.mean(0)
        means.append((2 * mx * my + 1e-6) / (mx**2 + my**2 + 1e-6))
        cov = (x * y).mean(0) - mx * my
        covariances.append((2 * cov + 1e-6) / (x.var(0) + y.var(0) + 1e-6))
    alpha, beta = params["alpha"], params["beta"]
    total = alpha @ np.concatenate(means) + beta @ np.concatenate(covariances)
    return 1 - total / (alpha.sum() + beta.sum())


def test_matches_the_definition():
    model = DISTS(channel_divisor=32)
    rng = np.random.default_rng(0)
    images, recons = rng.random((2, 2, 19, 24, 3)).astype(np.float32)
    params = random_params(model, images, recons)
    params |= {name: abs(params[name]) for name in ("alpha", "beta")}
    found = jax.jit(model.apply)({"params": params}, 2 * images - 1, 2 * recons - 1)
    pairs = zip(images, recons, strict=True)
    want = [_reference(np.float64(a), np.float64(b), params) for a, b in pairs]

    np.testing.assert_allclose(found, want, atol=1e-5)
    assert min(want) > 0.01


@pytest.mark.parametrize("shape", [(6, 8), (7, 9)])
def test_l2_pool_is_the_root_of_a_windowed_mean(shape):
    x = np.random.default_rng(1).normal(size=(*shape, 2)).astype(np.float32)
    found = l2_pool(jnp.asarray(x)[None])[0]
    np.testing.assert_allclose(found, _pooled(np.float64(x)), rtol=1e-5)
