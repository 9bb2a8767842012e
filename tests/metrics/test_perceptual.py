"""LPIPS-Alex of 8-bit images."""

import numpy as np
import pytest
from PIL import Image

from dlf_jax.metrics.perceptual import MIN_SIDE, lpips_alex
from dlf_jax.perceptual.weights import cache_dir


def test_small_images_have_no_distance():
    image = np.zeros((MIN_SIDE - 1, 64, 3), np.uint8)
    assert lpips_alex(image, image) is None


def test_published_distances(parity):
    if not (cache_dir() / "alexnet.ckpt").is_file():
        pytest.skip("the LPIPS weights are not in the cache")
    images = [
        np.asarray(Image.open(parity / "lpips" / f"ex_{name}.png").convert("RGB"))
        for name in ("ref", "p0", "p1")
    ]
    assert lpips_alex(images[0], images[1]) == pytest.approx(0.7219, abs=1e-4)
    assert lpips_alex(images[0], images[2]) == pytest.approx(0.1376, abs=1e-4)
