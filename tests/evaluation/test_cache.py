"""Cached results."""

import numpy as np
import pytest

from dlf_jax.errors import UserError
from dlf_jax.evaluation.cache import Cache, Result, key


def test_keys_tell_everything_apart():
    image = np.zeros((4, 6, 3), np.uint8)
    other = image.copy()
    other[0, 0, 0] = 1
    turned = image.reshape(6, 4, 3)
    keys = [
        key(image, "vvc", "60", "1"),
        key(other, "vvc", "60", "1"),
        key(turned, "vvc", "60", "1"),
        key(image, "avif", "60", "1"),
        key(image, "vvc", "6", "01"),
        key(image, "vvc", "60", "2"),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == key(image.copy(), "vvc", "60", "1")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="cannot create .*cache: Not a directory"):
        Cache(tmp_path / "file" / "cache")


def test_there_and_back(tmp_path):
    cache = Cache(tmp_path / "a" / "cache")
    result = Result(b"file", 0.25, 0.5, {"psnr": 30.5, "ms_ssim": None})
    assert cache.get("k") is None
    cache.put("k", result)
    assert Cache(tmp_path / "a" / "cache").get("k") == result


def test_values_under_a_former_name_are_missing(tmp_path):
    cache = Cache(tmp_path)
    cache.put("k", Result(b"file", 0.25, 0.5, {"psnr": 30.5, "lpips": 0.5}))
    assert cache.get("k") == Result(b"file", 0.25, 0.5, {"psnr": 30.5})


@pytest.mark.parametrize("suffix", [".bin", ".json"])
def test_a_damaged_result_does_not_count(tmp_path, suffix):
    cache = Cache(tmp_path)
    cache.put("k", Result(b"file", 0.25, 0.5))
    (tmp_path / f"k{suffix}").write_bytes(b"fil")
    assert cache.get("k") is None
