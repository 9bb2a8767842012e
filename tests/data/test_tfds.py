"""Images of TensorFlow Datasets, where they are installed and load."""

import io

import pytest

from dlf_jax.data.image_io import decode_image
from dlf_jax.data.sources import open_source
from dlf_jax.errors import UserError
from tests.pictures import noise, png
from tests.processes import run_python

tfds = pytest.importorskip("tensorflow_datasets.public_api")


def _png(seed: int) -> bytes:
    return png(noise(9, 7, seed=seed))


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
    """Folder with the prepared builder, as array_record."""
    folder = tmp_path_factory.mktemp("tfds")
    TinyPhotos(data_dir=folder, file_format="array_record").download_and_prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfds.core.constants, "DATA_DIR", str(folder))
        yield folder


def test_tfds_gives_encoded_images_without_tensorflow(tfds_folder):
    source = open_source("tfds:tiny_photos")
    assert sorted(_contents(source)) == sorted(_png(i) for i in range(3))
    assert decode_image(source[0], source.name(0)).shape == (9, 7, 3)
    assert source.name(1) == "tfds:tiny_photos:train#1"
    program = """
import sys
from tensorflow_datasets import public_api as tfds
from dlf_jax.data.sources import open_source
tfds.core.constants.DATA_DIR = sys.argv[1]
assert open_source("tfds:tiny_photos")[0]
assert "tensorflow" not in sys.modules
"""
    # In a process of its own, because other tests import TensorFlow if it is there.
    done = run_python("-c", program, tfds_folder)
    assert done.returncode == 0, done.stderr


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
        ("tfds:no_such_photos", "TensorFlow Datasets has no 'no_such_photos'"),
        ("tfds:", "TensorFlow Datasets has no ''"),
        ("tfds:no such", "TensorFlow Datasets has no 'no such'"),
        ("tfds:mnist/foo", "TensorFlow Datasets has no 'mnist/foo'"),
        ("tfds:clic", "tfds:clic is not prepared as array_record: with .*prepare"),
        ("tfds:tiny_photos:test", "has no split 'test': use one of train, validation"),
    ],
)
def test_what_cannot_be_opened_is_said(specification, message, tfds_folder):
    with pytest.raises(UserError, match=message):
        open_source(specification)
