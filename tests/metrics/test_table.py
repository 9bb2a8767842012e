"""Metrics by name."""

import numpy as np
import pytest

from dlf_jax.errors import UserError
from dlf_jax.metrics.table import METRICS, measure, parse_metrics


def test_small_images_have_no_value():
    image = np.zeros((15, 400, 3), np.uint8)
    names = [name for name, metric in METRICS.items() if metric.min_side > 15]
    assert measure(image, image, names) == dict.fromkeys(names)


def test_names_are_read_once_each():
    assert parse_metrics("dists,psnr,dists") == ["dists", "psnr"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("psnr,lpips", "metric 'lpips' was renamed: use 'lpips_alex'"),
        ("ssim", "no metric 'ssim': use one of psnr, ms_ssim, lpips_alex, lpips_vgg"),
    ],
)
def test_unknown_and_former_names_are_rejected(text, message):
    with pytest.raises(UserError, match=message):
        parse_metrics(text)


def test_values_of_one_pair():
    image = np.full((161, 170, 3), 100, np.uint8)
    found = measure(image, image + np.uint8(10), ["psnr", "ms_ssim"])
    assert found["psnr"] == pytest.approx(10 * np.log10(255**2 / 100), rel=1e-6)
    assert 0.9 < found["ms_ssim"] < 1
