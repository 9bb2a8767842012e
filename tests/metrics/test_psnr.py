"""PSNR by hand and against scikit-image."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from dlf_jax.metrics.psnr import psnr


def test_equal_images_are_infinitely_close():
    image = np.full((1, 4, 5, 3), 7, np.uint8)
    assert psnr(image, image)[0] == math.inf


def test_largest_difference_is_zero_decibel():
    black, white = (
        np.zeros((1, 2, 2, 3), np.uint8),
        np.full((1, 2, 2, 3), 255, np.uint8),
    )
    assert psnr(black, white)[0] == 0
    assert psnr(white, black)[0] == 0


@pytest.mark.parametrize("shape", [(2, 30_000), (30_000, 2), (1, 1)])
def test_long_images(shape):
    image = np.zeros((1, *shape, 3), np.uint8)
    recon = np.full_like(image, 255)
    recon[:, : shape[0] // 2] = 0
    recon[:, :, : shape[1] // 2] = 0
    want = 10 * math.log10(255**2 / np.square(recon.astype(float)).mean())
    assert psnr(image, recon)[0] == pytest.approx(want, abs=1e-5)


def test_equals_scikit_image():
    rng = np.random.default_rng(0)
    images, recons = rng.integers(0, 256, (2, 3, 9, 7, 3), np.uint8)
    pairs = zip(images, recons, strict=True)
    want = [peak_signal_noise_ratio(a, b) for a, b in pairs]
    np.testing.assert_allclose(psnr(images, recons), want, rtol=1e-6)
