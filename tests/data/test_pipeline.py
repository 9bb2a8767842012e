"""Crops and batches: shapes, determinism, robustness."""

import numpy as np
import pytest
from PIL import Image

from dlf_jax.data import pipeline
from dlf_jax.data.pipeline import CropConfig, PhotoSource
from dlf_jax.errors import UserError


@pytest.fixture
def photos(tmp_path):
    """Eight small photos, one of them greyscale, in two folders."""
    rng = np.random.default_rng(0)
    for i in range(8):
        folder = tmp_path / "ab"[i % 2]
        folder.mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).convert("L" if i == 3 else "RGB")
        picture.save(folder / f"{i}.png")
    (tmp_path / "a" / "notes.txt").write_text("not a photo")
    return pipeline.find_photos([tmp_path / "a", tmp_path / "b"])


def _batches(paths, count, *, cache=True, **kwargs):
    source = PhotoSource(paths, cache=cache)
    kwargs = {"batch_size": 3, "seed": 0} | kwargs
    config = CropConfig(32, min_scale=0.7, flip=True)
    batches = pipeline.train_batches(source, config, **kwargs)
    return np.stack([next(batches) for _ in range(count)])


def test_finds_photos_of_all_folders(photos):
    assert [p.name for p in photos] == [f"{i}.png" for i in (0, 2, 4, 6, 1, 3, 5, 7)]


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(UserError, match="nowhere is not a folder"):
        pipeline.find_photos([tmp_path / "nowhere"])
    with pytest.raises(UserError, match="no photos in"):
        pipeline.find_photos([tmp_path])


def test_batches_are_uint8_crops_and_follow_from_the_seed(photos):
    first = _batches(photos, 6)
    assert first.shape == (6, 3, 32, 32, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, _batches(photos, 6))
    np.testing.assert_array_equal(first, _batches(photos, 6, num_threads=3))
    np.testing.assert_array_equal(first, _batches(photos, 6, cache=False))
    assert (first != _batches(photos, 6, seed=1)).any()


def test_starting_later_continues_the_same_stream(photos):
    whole = _batches(photos, 9)
    np.testing.assert_array_equal(whole[5:], _batches(photos, 4, first_batch=5))


@pytest.mark.parametrize("cache", [True, False])
def test_undecodable_files_are_skipped_and_named(photos, cache, capsys):
    broken = photos[2]
    broken.write_bytes(broken.read_bytes()[:200])
    source = PhotoSource(photos, cache=cache)
    batches = pipeline.train_batches(source, CropConfig(16), batch_size=4, seed=0)
    for _ in range(6):
        assert next(batches).shape == (4, 16, 16, 3)
    assert source.skipped == [broken]
    assert str(broken) in capsys.readouterr().err


def test_no_decodable_photo_is_an_error(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"")
    source = PhotoSource([tmp_path / "x.jpg"], cache=True)
    with pytest.raises(UserError, match="none of the photos"):
        pipeline.train_batches(source, CropConfig(16), batch_size=1, seed=0)


def test_crop_without_scaling_is_a_window_of_the_photo():
    photo = np.arange(40 * 50 * 3).reshape(40, 50, 3).astype(np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(photo, (32, 32, 3))[:, :, 0]
    for seed in range(5):
        rng = np.random.default_rng(seed)
        crop = pipeline.random_crop(photo, CropConfig(32), rng)
        assert (windows == crop).all(axis=(2, 3, 4)).any()


def test_small_photos_are_enlarged():
    photo = np.full((10, 300, 3), 7, np.uint8)
    crop = pipeline.random_crop(photo, CropConfig(64), np.random.default_rng(0))
    np.testing.assert_array_equal(crop, np.full((64, 64, 3), 7))
    centre = pipeline.center_crop(photo, 64)
    np.testing.assert_array_equal(centre, np.full((64, 64, 3), 7))


def test_flip_mirrors_about_half_of_the_crops():
    photo = np.zeros((16, 16, 3), np.uint8)
    photo[:, 0] = 255
    rng = np.random.default_rng(0)
    crops = [
        pipeline.random_crop(photo, CropConfig(16, flip=True), rng) for _ in range(200)
    ]
    assert 70 < sum(int(crop[0, -1, 0] == 255) for crop in crops) < 130


def test_centre_crop_is_central():
    photo = np.zeros((20, 30, 3), np.uint8)
    photo[5:15, 10:20] = 1
    np.testing.assert_array_equal(pipeline.center_crop(photo, 10), 1)


def test_holdout_depends_on_the_name_alone(tmp_path):
    names = [f"photo_{i}.jpg" for i in range(2000)]
    chosen = [pipeline.is_holdout(tmp_path / name) for name in names]
    assert chosen == [pipeline.is_holdout(tmp_path / "other" / n) for n in names]
    assert 60 < sum(chosen) < 140
