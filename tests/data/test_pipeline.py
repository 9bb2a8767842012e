"""Batches: determinism, shards of processes, resuming."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from dlf_jax.data.crops import CropConfig
from dlf_jax.data.photos import Photos
from dlf_jax.data.pipeline import train_batches
from dlf_jax.data.sources import open_source
from dlf_jax.errors import UserError

_CROP = CropConfig(32, min_scale=0.7, flip=True)


class _Greys:
    """Photo i is one pixel of value i."""

    def __init__(self, length):
        self._length = length

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        buffer = io.BytesIO()
        Image.new("L", (1, 1), index).save(buffer, "PNG")
        return buffer.getvalue()

    def name(self, index):
        return str(index)


@pytest.fixture
def photos(folders):
    source = open_source(",".join(map(str, folders)))
    return Photos(source, range(len(source)), max_undecodable=0.5)


def _take(iterator, count):
    return np.stack(list(itertools.islice(iterator, count)))


def _batches(photos, count, **kwargs):
    kwargs = {"batch_size": 3, "seed": 0} | kwargs
    return _take(train_batches(photos, _CROP, **kwargs), count)


def _order(length, count, **kwargs):
    """Indices of the photos in `count` batches."""
    photos = Photos(_Greys(length), range(length), max_undecodable=0.0)
    kwargs = {"batch_size": 2, "seed": 0} | kwargs
    batches = train_batches(photos, CropConfig(1), **kwargs)
    return _take(batches, count)[:, :, 0, 0, 0]


def test_batches_are_uint8_crops_and_follow_from_the_seed(photos):
    first = _batches(photos, 6)
    assert first.shape == (6, 3, 32, 32, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, _batches(photos, 6, num_threads=3))
    assert (first != _batches(photos, 6, seed=1)).any()


def test_every_pass_shows_every_photo_in_an_order_of_its_own():
    passes = _order(12, 18).reshape(3, 12)
    for order in passes:
        assert sorted(order) == list(range(12))
    assert not np.array_equal(passes[0], passes[1])


def test_batches_of_one():
    assert sorted(_order(12, 12, batch_size=1).flat) == list(range(12))


@pytest.mark.parametrize("num_processes", [2, 4])
def test_processes_share_the_batches_of_one(num_processes):
    whole = _order(40, 10, batch_size=8)
    shares = [
        _order(
            40,
            10,
            batch_size=8 // num_processes,
            process_index=index,
            num_processes=num_processes,
        )
        for index in range(num_processes)
    ]
    np.testing.assert_array_equal(np.concatenate(shares, axis=1), whole)
    # The first pass: disjoint, and together everything.
    seen = [set(share[:5].flat) for share in shares]
    assert sum(map(len, seen)) == 40 and set.union(*seen) == set(range(40))


@pytest.mark.parametrize("done", [0, 1, 5])
def test_a_restored_state_continues_in_the_middle_of_a_pass(photos, done):
    whole = _batches(photos, 9)
    first = train_batches(photos, _CROP, batch_size=3, seed=0, num_threads=2)
    for _ in range(done):
        next(first)
    state = first.get_state()
    later = train_batches(photos, _CROP, batch_size=3, seed=0)
    later.set_state(state)
    np.testing.assert_array_equal(_take(later, 9 - done), whole[done:])


def test_a_broken_photo_changes_its_own_place_alone(folders, photos):
    whole = _batches(photos, 6)
    (folders[0] / "2.png").write_bytes(b"")
    changed = (_batches(photos, 6) != whole).any(axis=(2, 3, 4))
    assert photos.num_undecodable == 1
    assert 2 <= changed.sum() <= 3  # 18 crops are two passes and a bit


def test_too_many_broken_photos_end_the_iteration(folders):
    for i in (0, 2, 4):
        (folders[0] / f"{i}.png").write_bytes(b"")
    photos = Photos(open_source(str(folders[0])), range(4), max_undecodable=0.5)
    with pytest.raises(UserError, match="3 of 4 photos cannot be decoded"):
        _batches(photos, 6, num_threads=2)


def test_no_photos_are_an_error(folders):
    photos = Photos(open_source(str(folders[0])), [], max_undecodable=0.0)
    with pytest.raises(UserError, match="no photos are left"):
        train_batches(photos, _CROP, batch_size=1, seed=0)
