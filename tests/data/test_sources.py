"""Every kind of source gives the bytes of image files by index."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image

from dlf_jax.data.image_io import decode_image
from dlf_jax.data.sources import open_source
from dlf_jax.errors import UserError


def _png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _contents(source) -> list[bytes]:
    return [source[i] for i in range(len(source))]


class TinyPhotos(tfds.core.GeneratorBasedBuilder):
    """Five images with labels, three of them in the split train."""

    VERSION = tfds.core.Version("1.0.0")
    code_path = None  # only needed to find lists of checksums

    def _info(self):
        features = {
            "hr": tfds.features.Image(shape=(None, None, 3)),
            "lr": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(num_classes=9),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, _):
        return {
            "train": self._generate_examples(range(3)),
            "validation": self._generate_examples(range(3, 5)),
        }

    def _generate_examples(self, seeds):
        for seed in seeds:
            large, small = io.BytesIO(_png(seed)), io.BytesIO(_png(0))
            yield seed, {"hr": large, "lr": small, "label": seed}


@pytest.fixture(scope="module")
def tfds_folder(tmp_path_factory):
    """Where tfds has the builder, as array_record."""
    folder = tmp_path_factory.mktemp("tfds")
    TinyPhotos(data_dir=folder, file_format="array_record").download_and_prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfds.core.constants, "DATA_DIR", str(folder))
        yield folder


def test_folders_are_listed_by_path(folders):
    a, b = folders
    source = open_source(f"{a},folder:{b}")
    names = [Path(source.name(i)).name for i in range(len(source))]
    assert names == [f"{i}.png" for i in (0, 2, 4, 6, 1, 3, 5, 7)]
    assert source[5] == (b / "3.png").read_bytes()


def test_links_to_folders_are_followed_and_nothing_comes_twice(tmp_path):
    below, elsewhere = tmp_path / "root" / "b" / "c", tmp_path / "elsewhere"
    below.mkdir(parents=True)
    elsewhere.mkdir()
    for path in (
        below / "1.png",
        tmp_path / "root" / "b" / "2.png",
        elsewhere / "3.png",
    ):
        path.write_bytes(_png(0))
    (tmp_path / "root" / "a").symlink_to(elsewhere)
    (tmp_path / "root" / "b" / "again").symlink_to(elsewhere)
    (elsewhere / "up").symlink_to(tmp_path / "root")
    source = open_source(str(tmp_path / "root"))
    names = [
        str(Path(source.name(i)).relative_to(tmp_path)) for i in range(len(source))
    ]
    assert names == ["root/a/3.png", "root/b/2.png", "root/b/c/1.png"]


def test_array_records_are_image_files(tmp_path):
    for shard in range(2):
        writer = ArrayRecordWriter(str(tmp_path / f"{shard}.rec"), "group_size:1")
        for i in range(3):
            writer.write(_png(3 * shard + i))
        writer.close()
    source = open_source(f"array_record:{tmp_path}/*.rec")
    assert _contents(source) == [_png(i) for i in range(6)]
    assert source.name(4) == f"{tmp_path}/*.rec#4"


def test_a_damaged_record_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "a.rec"
    writer = ArrayRecordWriter(str(path), "group_size:1")
    for seed in range(3):
        writer.write(_png(seed))
    writer.close()
    data = bytearray(path.read_bytes())
    data[data.index(_png(1)) + 50] ^= 1
    path.write_bytes(data)
    source = open_source(f"array_record:{path}")
    assert source[0] == _png(0) and source[2] == _png(2)
    with pytest.raises(UserError, match="a.rec#1 cannot be read"):
        source[1]


def test_tfds_gives_encoded_images_without_tensorflow(tfds_folder):
    source = open_source("tfds:tiny_photos")
    assert sorted(_contents(source)) == sorted(_png(i) for i in range(3))
    assert decode_image(source[0], source.name(0)).shape == (9, 7, 3)
    assert source.name(1) == "tfds:tiny_photos:train#1"
    assert "tensorflow" not in sys.modules


def test_the_split_has_one_name(tfds_folder):
    for specification in ("tfds:tiny_photos", "tfds:tiny_photos:"):
        same = open_source(f"{specification},tfds:tiny_photos:train")
        assert [same.name(i) for i in range(3)] == [same.name(i) for i in range(3, 6)]


def test_tfds_splits(tfds_folder):
    both = open_source("tfds:tiny_photos:train[:1]+validation")
    assert len(both) == 3
    assert {_png(3), _png(4)} < set(_contents(both))


def test_sources_follow_one_another(folders, tfds_folder):
    source = open_source(f"tfds:tiny_photos:validation,{folders[0]}")
    assert len(source) == 2 + 4
    assert source.name(1) == "tfds:tiny_photos:validation#1"
    assert source.name(2) == str(folders[0] / "0.png")
    assert source[2] == (folders[0] / "0.png").read_bytes()


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("", "name folders or datasets with --config.data"),
        ("/nowhere", "/nowhere is not a folder of photos"),
        ("folder:/nowhere", "^/nowhere is not a folder of photos"),
        ("array_record:/nowhere/*", "no file is named /nowhere/"),
        ("array_record:{empty}/short", "short is not array_record: .*64KB"),
        ("{empty}", "no photos in /"),
        ("tfds:no_such_photos", "TensorFlow Datasets has no 'no_such_photos'"),
        ("tfds:", "TensorFlow Datasets has no ''"),
        ("tfds:no such", "TensorFlow Datasets has no 'no such'"),
        ("tfds:mnist/foo", "TensorFlow Datasets has no 'mnist/foo'"),
        ("tfds:clic", "tfds:clic is not there as array_record; .*prepare"),
        ("tfds:tiny_photos:test", "has no split 'test'; it has train, validation"),
    ],
)
def test_what_cannot_be_opened_is_said(specification, message, tmp_path, tfds_folder):
    (tmp_path / "short").write_bytes(bytes(100))
    with pytest.raises(UserError, match=message):
        open_source(specification.format(empty=tmp_path))


def test_tfds_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UserError, match=r'pip install "\.\[tfds\]"'):
        open_source("tfds:clic")
