"""TensorFlow Compression baselines: protocol of the server, and real models."""

import io
import os
import subprocess
import sys
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlf_jax.errors import UserError
from dlf_jax.evaluation import tfc_codec, tfci_codec
from dlf_jax.evaluation.tfc_codec import TFCCodec, open_codec
from tests.evaluation.conftest import smooth

# Files are the pixels of every second row behind the height and the width.
_MODELS = """
import numpy as np

class Model:
    def __init__(self, name, path):
        assert name == "halves", name
        self.step = int(np.load(path)["step"])
    def compress(self, image):
        print("noise on stdout")
        return bytes(image.shape[:2]) + image[:: self.step].tobytes()
    def decompress(self, data):
        rows = np.frombuffer(data[2:], np.uint8).reshape(-1, data[1], 3)
        return np.repeat(rows, self.step, 0)[: data[0]]

load = Model
"""


@pytest.fixture
def halves(tmp_path, monkeypatch):
    """The name of a stand-in that needs no TensorFlow."""
    (tmp_path / "models.py").write_text(_MODELS)
    (tmp_path / "pretrained.py").touch()
    serve = (tfc_codec._FOLDER / "serve.py").read_text()
    (tmp_path / "serve.py").write_text(serve)
    for rate, step in enumerate((4, 2)):
        np.savez(tmp_path / f"halves-{rate}.npz", step=step)
    monkeypatch.setattr(tfc_codec, "_FOLDER", tmp_path)
    monkeypatch.setenv("DLF_TFC_PYTHON", sys.executable)
    return str(tmp_path / "halves")


@pytest.fixture
def tensorflow_python(repository, monkeypatch):
    """The interpreter of an environment of requirements-tfc.txt."""
    default = repository / ".venv-tfc" / "bin" / "python"
    python = os.environ.get("DLF_TFC_PYTHON", str(default))
    if not Path(python).is_file():
        pytest.skip("there is no environment of requirements-tfc.txt")
    monkeypatch.setenv("DLF_TFC_PYTHON", python)
    return python


def test_images_go_through_the_process(halves):
    codec, image = open_codec(halves), smooth(8, 12)
    assert codec.settings == ("0", "1")
    for setting, step in (("0", 4), ("1", 2), ("0", 4)):
        data = codec.compress(image, setting)
        assert len(data) == 3 + image[::step].size
        assert data[0] == int(setting)
        recon = codec.decompress(data)
        np.testing.assert_array_equal(recon, np.repeat(image[::step], step, 0))


@pytest.mark.parametrize("model", ["bls2017", "bmshj2018-factorized", "bmshj2018"])
def test_weights_come_with_the_package(model, monkeypatch):
    monkeypatch.setenv("DLF_TFC_PYTHON", sys.executable)
    assert open_codec(model).settings == ("0", "1")


def test_errors_of_the_process_are_one_line(halves):
    codec = open_codec(halves)
    with pytest.raises(UserError, match="failed: ValueError: cannot reshape") as error:
        codec.decompress(b"\0\1\2\3")
    assert "\n" not in str(error.value)
    assert len(codec.compress(smooth(8, 12), "0")) == 75


def test_weights_count_in_the_version(halves):
    before = open_codec(halves).version
    np.savez(f"{halves}-0.npz", step=3)
    assert open_codec(halves).version != before


def test_a_python_without_the_packages_is_named(halves, tmp_path):
    (tmp_path / "models.py").write_text("import no_such_library")
    with pytest.raises(UserError, match="install requirements-tfc.txt for"):
        open_codec(halves).compress(smooth(8, 12), "0")


def test_a_missing_environment_says_how_to_make_it(halves, monkeypatch):
    monkeypatch.setenv("DLF_TFC_PYTHON", "nowhere/python")
    with pytest.raises(UserError, match="nowhere/python does not exist: python3.11 -m"):
        open_codec(halves)


def test_published_models_need_a_network_once(tmp_path, monkeypatch, halves):
    def offline(url, timeout):
        assert url.endswith("/metagraphs/hific-lo.metagraph")
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(tfci_codec, "cache_dir", lambda: tmp_path / "perceptual")
    monkeypatch.setattr(tfci_codec.urllib.request, "urlopen", offline)
    with pytest.raises(UserError, match="not known.: connect to the network"):
        tfci_codec.open_codec("hific")
    monkeypatch.undo()
    monkeypatch.setattr(tfci_codec, "cache_dir", lambda: tmp_path / "perceptual")
    with pytest.raises(UserError, match="cannot fetch a b-1.metagraph"):
        tfci_codec.open_codec("a b")
    assert not (tmp_path / "tfci").exists()


def test_published_models_are_fetched_once(tmp_path, monkeypatch, halves):
    fetched = []

    def urlopen(url, timeout):
        fetched.append(url.rpartition("/")[2])
        return io.BytesIO(b"graph")

    monkeypatch.setattr(tfci_codec, "cache_dir", lambda: tmp_path / "perceptual")
    monkeypatch.setattr(tfci_codec.urllib.request, "urlopen", urlopen)
    for _ in range(2):
        codec = tfci_codec.open_codec("mbt2018-mean-mse")
    assert codec.settings == ("1", "2", "3")
    assert fetched == [f"mbt2018-mean-mse-{rate}.metagraph" for rate in "123"]


# A published model as it would be, if all it did was to halve the pixels.
_METAGRAPH = """
import sys
import tensorflow as tf
tf = tf.compat.v1

with tf.Graph().as_default():
    image = tf.placeholder(tf.uint8, (1, None, None, 3), name="image")
    string = tf.io.serialize_tensor(image // 2)[None]
    size = tf.shape(image)[1:-1]
    back = tf.placeholder(tf.string, (1,), name="back")
    back_size = tf.placeholder(tf.int32, (2,), name="back_size")
    pixels = tf.io.parse_tensor(back[0], tf.uint8)
    shape = tf.concat([[1], back_size, [3]], 0)
    output = tf.reshape(2 * tf.cast(pixels, tf.float32), shape)
    info = tf.saved_model.build_tensor_info
    graph = tf.train.export_meta_graph()
    for name, inputs, outputs in (
        ("sender", [image], [string, size]),
        ("receiver", [back, back_size], [output]),
    ):
        signature = graph.signature_def[name]
        for i, tensor in enumerate(inputs):
            signature.inputs[str(i)].CopyFrom(info(tensor))
        for i, tensor in enumerate(outputs):
            signature.outputs[str(i)].CopyFrom(info(tensor))
open(sys.argv[1], "wb").write(graph.SerializeToString())
"""


@pytest.mark.slow
def test_metagraphs_in_tensorflow(tmp_path, tensorflow_python):
    path = tmp_path / "double-1.metagraph"
    command = [tensorflow_python, "-c", _METAGRAPH, path]
    subprocess.run(command, check=True, capture_output=True)
    codec, image = TFCCodec("tfci:double", {"1": path}), smooth(75, 90)
    data = codec.compress(image, "1")
    assert b"double-1" in data
    np.testing.assert_array_equal(codec.decompress(data), image // 2 * 2)


# Whether decoders find the rounded latents of the encoder.
_EXACT = """
import sys
import models, numpy as np, tensorflow as tf

model = models.load(sys.argv[1], sys.argv[2])
image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
y = tf.round(model.analysis(image[None].astype(np.float32) / 255))
want = np.clip(np.round(model.synthesis(y) * 255), 0, 255)[0]
found = model.decompress(model.compress(image))
assert np.abs(found - want).max() <= 1, np.abs(found - want).max()
assert np.ptp(want) > 1
"""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["bls2017", "bmshj2018"])
def test_train_and_code(model, tmp_path, tensorflow_python):
    python = tensorflow_python
    (tmp_path / "photos").mkdir()
    Image.fromarray(smooth(140, 150)).save(tmp_path / "photos" / "a.png")
    train = [python, tfc_codec._FOLDER / "train.py", model, tmp_path / "photos"]
    train += ["-o", tmp_path, "--lambdas", "0.01", "--minutes", "0.05"]
    subprocess.run(train, check=True, capture_output=True)
    weights = tmp_path / f"{model}-0.npz"
    exact = [python, "-c", _EXACT, model, weights]
    subprocess.run(exact, check=True, cwd=tfc_codec._FOLDER, capture_output=True)
    codec, image = open_codec(str(tmp_path / model)), smooth(75, 150, seed=1)
    data = codec.compress(image, "0")
    assert codec.compress(image, "0") == data
    assert codec.decompress(data).shape == image.shape
    assert 50 < len(data) < image.size
