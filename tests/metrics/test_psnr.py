"""PSNR by hand and against scikit-image."""

import math

import numpy as np
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


def test_equals_scikit_image():
    rng = np.random.default_rng(0)
    images, recons = rng.integers(0, 256, (2, 3, 9, 7, 3), np.uint8)
    pairs = zip(images, recons, strict=True)
    want = [peak_signal_noise_ratio(a, b) for a, b in pairs]
    np.testing.assert_allclose(psnr(images, recons), want, rtol=1e-6)
