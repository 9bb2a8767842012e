"""Patches and distances of feature sets."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from dlf_jax.metrics.distribution import frechet_distance, kernel_distance, patches


def coordinates(height, width):
    """Image whose pixels encode their position: (row / 2, column / 4, 0)."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows // 2, columns // 4, 0 * rows], -1).astype(np.uint8)


@pytest.mark.parametrize(
    ("shape", "corners"),
    [
        ((255, 600), []),
        ((256, 600), [(0, 0), (0, 256)]),
        ((383, 600), [(0, 0), (0, 256)]),
        ((384, 384), [(0, 0), (128, 128)]),
        (
            (512, 768),
            [(r, c) for r in (0, 256) for c in (0, 256, 512)]
            + [(128, 128), (128, 384)],
        ),
    ],
)
def test_corners_of_the_patches(shape, corners):
    found = patches(coordinates(*shape))
    assert found.shape == (len(corners), 256, 256, 3)
    assert [(2 * int(p[0, 0, 0]), 4 * int(p[0, 0, 1])) for p in found] == corners


def test_frechet_distance_of_shifted_and_scaled_sets():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 4))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + 2) == pytest.approx(4 * 4)
    trace = np.trace(np.cov(x, rowvar=False))
    mean = np.square(x.mean(0)).sum()
    assert frechet_distance(x, 3 * x) == pytest.approx(4 * trace + 4 * mean)


def test_frechet_distance_equals_the_matrix_square_root():
    rng = np.random.default_rng(1)
    x, y = (rng.normal(size=(60, 8)) @ rng.normal(size=(8, 8)) for _ in range(2))
    cov_x, cov_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    want = np.square(x.mean(0) - y.mean(0)).sum()
    want += np.trace(cov_x + cov_y - 2 * sqrtm(cov_x @ cov_y).real)
    assert frechet_distance(x, y) == pytest.approx(want, rel=1e-6)


def test_fewer_samples_than_features_are_no_problem():
    x = np.random.default_rng(2).normal(size=(5, 40))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-5)


def test_kernel_distance_by_hand():
    # With D = 1: k(1,1) = 8, k(1,3) = 64, k(0,2) = 1, k(x,y) = 1, 27, 1, 343.
    x, y = np.array([[1.0], [3.0]]), np.array([[0.0], [2.0]])
    want = 64 + 1 - 2 * np.mean([1, 27, 1, 343])
    assert kernel_distance(x, y) == pytest.approx(want)


def test_kernel_distance_is_unbiased():
    rng = np.random.default_rng(3)
    same = [kernel_distance(*rng.normal(size=(2, 30, 4))) for _ in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(200)
    assert min(same) < 0
