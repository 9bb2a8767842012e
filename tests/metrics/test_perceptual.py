"""LPIPS and DISTS of 8-bit images against published numbers."""

import functools

import numpy as np
import pytest
from PIL import Image

from dlf_jax.errors import UserError
from dlf_jax.metrics.perceptual import dists, lpips


def pictures(folder, *names):
    """Batches of one image each."""
    files = [Image.open(folder / f"{name}.png").convert("RGB") for name in names]
    return [np.asarray(file)[None] for file in files]


def value(metric, image, recon):
    try:
        return float(metric(image, recon)[0])
    except UserError as error:
        pytest.skip(str(error))


def test_published_lpips(parity):
    images = pictures(parity / "lpips", "ex_ref", "ex_p0", "ex_p1")
    alex = functools.partial(lpips, net="alex")
    assert value(alex, images[0], images[1]) == pytest.approx(0.7219, abs=1e-4)
    assert value(alex, images[0], images[2]) == pytest.approx(0.1376, abs=1e-4)


def test_published_dists(parity):
    image, recon = pictures(parity / "dists", "r0", "r1")
    assert value(dists, image, recon) == pytest.approx(0.3347, abs=1e-4)
    assert value(dists, image, image) == pytest.approx(0, abs=1e-6)
