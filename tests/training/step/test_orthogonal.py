"""Orthogonalisation of matrices, against singular values and against optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax.contrib
import pytest

from dlf_jax.training.step.orthogonal import orthogonalize

_SHAPES = [(48, 48), (32, 96), (96, 32), (1, 5)]


def _matrix(shape, condition):
    """Frobenius norm 1, singular values in geometric progression."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(n, min(shape))))[0] for n in shape)
    values = np.geomspace(1.0, 1.0 / condition, min(shape))
    values /= np.linalg.norm(values)
    return left, values, right


def _steps(values):
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return values


@pytest.mark.parametrize("shape", _SHAPES, ids=str)
@pytest.mark.parametrize("condition", [1.0, 100.0, 1e6])
def test_singular_values_change_and_vectors_stay(shape, condition):
    left, values, right = _matrix(shape, condition)
    matrix = jnp.asarray((left * values) @ right.T, jnp.float32)
    found = np.asarray(orthogonalize(matrix))
    expected = (left * _steps(values)) @ right.T
    assert np.linalg.norm(found - expected) < 1e-3 * np.linalg.norm(expected)
    if condition <= 100.0:
        found = np.linalg.svd(found, compute_uv=False)
        assert 0.68 < found[-1] and found[0] < 1.21


@pytest.mark.parametrize("shape", _SHAPES[:3], ids=str)
def test_updates_are_those_of_optax(shape):
    gradients = jax.random.normal(jax.random.key(0), shape)
    muon = optax.contrib.muon(1.0, consistent_rms=None)
    updates, _ = muon.update(gradients, muon.init(gradients), gradients)
    expected = -updates / np.linalg.norm(updates)
    found = orthogonalize(gradients / np.linalg.norm(gradients))
    np.testing.assert_allclose(found / np.linalg.norm(found), expected, atol=1e-5)


def test_a_matrix_of_zeros_stays():
    assert not np.any(orthogonalize(jnp.zeros((4, 16))))
