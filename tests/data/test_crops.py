"""Crops: resize rule, flips, centre."""

import numpy as np
import pytest
from PIL import Image

from dlf_jax.data.crops import CropConfig, center_crop, random_crop


def _noise(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def _windows(image: np.ndarray, size: int) -> np.ndarray:
    view = np.lib.stride_tricks.sliding_window_view(image, (size, size, 3))
    return view[:, :, 0].astype(int)


def test_crop_without_scaling_is_a_window_of_the_photo():
    photo = _noise(40, 50)
    for seed in range(5):
        crop = random_crop(photo, CropConfig(32), np.random.default_rng(seed))
        assert (_windows(photo, 32) == crop).all(axis=(2, 3, 4)).any()


@pytest.mark.parametrize(("height", "width"), [(20, 50), (70, 30), (33, 31)])
def test_small_photos_are_enlarged_and_then_cropped(height, width):
    """The result equals a crop of the resized photo.

    See docs/architecture.md#training-data.
    """
    photo = _noise(height, width)
    scale = 48 / min(height, width)
    shape = (round(width * scale), round(height * scale))
    whole = np.asarray(Image.fromarray(photo).resize(shape, Image.Resampling.BILINEAR))
    assert min(whole.shape[:2]) == 48
    for seed in range(5):
        crop = random_crop(photo, CropConfig(48), np.random.default_rng(seed))
        errors = abs(_windows(whole, 48) - crop).max(axis=(2, 3, 4))
        assert errors.min() <= 1  # the last digit of a position in the photo


def test_scaled_crops_show_more_of_the_photo():
    """A gradient becomes as steep as the photo was shrunk, 1 to 4 times here."""
    photo = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 160, axis=0)
    photo = np.repeat(photo, 3, axis=2)
    config = CropConfig(40, min_scale=0.1)  # the photo allows for 40 / 160
    rng = np.random.default_rng(0)
    crops = [random_crop(photo, config, rng) for _ in range(100)]
    slopes = [float(c[0, 30, 0]) - float(c[0, 10, 0]) for c in crops]
    slopes = np.array(slopes) / 20
    assert slopes.min() < 1.2 and 3.5 < slopes.max() < 4.2


def test_flip_mirrors_about_half_of_the_crops():
    photo = np.zeros((16, 16, 3), np.uint8)
    photo[:, 0] = 255
    rng = np.random.default_rng(0)
    crops = [random_crop(photo, CropConfig(16, flip=True), rng) for _ in range(200)]
    assert 70 < sum(int(crop[0, -1, 0] == 255) for crop in crops) < 130


def test_centre_crop_is_central():
    photo = np.zeros((20, 30, 3), np.uint8)
    photo[5:15, 10:20] = 1
    np.testing.assert_array_equal(center_crop(photo, 10), 1)
    np.testing.assert_array_equal(center_crop(photo[5:15, 10:20], 64), 1)
