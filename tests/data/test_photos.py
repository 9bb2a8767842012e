"""Undecodable photos are replaced, counted and named; too many end the run."""

import numpy as np
import pytest

from dlf_jax.data.image_io import read_image
from dlf_jax.data.photos import Photos, is_holdout, split_holdout
from dlf_jax.data.sources import open_source
from dlf_jax.errors import UserError


class _Fakes:
    """Source of PNG files of one grey value; the given entries are broken."""

    def __init__(self, length, broken):
        self._length, self._broken = length, broken

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        if index in self._broken:
            return b"not an image"
        return b"P5 1 1 255 " + bytes([index % 256])

    def name(self, index):
        return f"fake/{index}"


def _values(photos):
    return [int(photos[i][0, 0, 0]) for i in range(len(photos))]


@pytest.mark.parametrize("cache", [True, False])
def test_the_next_good_photo_stands_in(cache, capsys):
    source = _Fakes(8, {2, 3, 7})
    photos = Photos(source, range(8), max_undecodable=0.5, cache=cache)
    for _ in range(2):
        assert _values(photos) == [0, 1, 4, 4, 4, 5, 6, 0]
    assert photos.num_undecodable == 3
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"dlf: skipping a photo: fake/{i} is not an image that can be read: convert it "
        "to PNG"
        for i in (2, 3, 7)
    ]


@pytest.mark.parametrize("cache", [True, False])
def test_too_many_end_the_run(cache):
    with pytest.raises(UserError, match="3 of 8 photos cannot be decoded .fake/7"):
        _values(
            Photos(_Fakes(8, {2, 3, 7}), range(8), max_undecodable=0.3, cache=cache)
        )


@pytest.mark.parametrize("cache", [True, False])
def test_one_of_few_is_put_up_with(cache):
    photos = Photos(_Fakes(4, {2}), range(4), max_undecodable=0.05, cache=cache)
    assert _values(photos) == [0, 1, 3, 3]
    with pytest.raises(UserError, match="2 of 4 photos cannot be decoded"):
        _values(Photos(_Fakes(4, {1, 2}), range(4), max_undecodable=0.05, cache=cache))


def test_the_share_is_that_of_photos_seen():
    """In a large source, 1 % of the first thousand, then 1 % of what was seen."""
    early = Photos(_Fakes(9000, set(range(11))), range(9000), max_undecodable=0.01)
    with pytest.raises(UserError, match="11 of 1000 photos cannot be decoded"):
        early[0]
    spread = Photos(
        _Fakes(9000, set(range(0, 2000, 110))), range(9000), max_undecodable=0.01
    )
    for i in range(2000):
        spread[i]
    assert spread.num_undecodable == 19


def test_only_the_first_few_are_named(capsys):
    photos = Photos(_Fakes(20, set(range(10))), range(20), max_undecodable=1.0)
    _values(photos)
    assert photos.num_undecodable == 10
    assert len(capsys.readouterr().err.splitlines()) == 5


def test_nothing_decodable_is_an_error():
    with pytest.raises(UserError, match="none of the photos can be decoded"):
        Photos(_Fakes(3, {0, 1, 2}), range(3), max_undecodable=1.0)[0]


def test_photos_are_those_of_the_indices(folders):
    source = open_source(str(folders[1]))
    photos = Photos(source, [3, 1], max_undecodable=0.0)
    np.testing.assert_array_equal(photos[0], read_image(folders[1] / "7.png"))
    np.testing.assert_array_equal(photos[1], read_image(folders[1] / "3.png"))


def test_a_vanished_file_counts_as_undecodable(folders, capsys):
    source = open_source(str(folders[0]))
    (folders[0] / "2.png").unlink()
    photos = Photos(source, range(4), max_undecodable=0.3)
    assert photos[1].shape == (44, 50, 3)
    assert "2.png: No such file" in capsys.readouterr().err


def test_holdout_depends_on_the_file_name_alone():
    names = [f"photo_{i}.jpg" for i in range(2000)]
    chosen = [is_holdout(name) for name in names]
    assert chosen == [is_holdout(f"/some/other/{name}") for name in names]
    assert 60 < sum(chosen) < 140
    assert is_holdout("photo_18.jpg") and not is_holdout("photo_13.jpg")


def test_split_covers_every_photo_once():
    source = _Fakes(500, set())
    train, validation = split_holdout(source)
    assert sorted(train + validation) == list(range(500))
    assert 10 < len(validation) < 45
