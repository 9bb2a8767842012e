"""PSNR by hand and against scikit-image."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from dlf_jax.metrics.psnr import psnr


def test_equal_images_are_infinitely_close():
    image = np.full((4, 5, 3), 7, np.uint8)
    assert psnr(image, image) == math.inf


def test_largest_difference_is_zero_decibel():
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert psnr(black, white) == 0
    assert psnr(white, black) == 0


def test_equals_scikit_image():
    rng = np.random.default_rng(0)
    image, recon = rng.integers(0, 256, (2, 9, 7, 3), np.uint8)
    assert psnr(image, recon) == pytest.approx(peak_signal_noise_ratio(image, recon))
