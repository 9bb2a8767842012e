"""Names, folders and files find their model; the façade uses them."""

import shutil

import numpy as np
import pytest

import dlf_jax
from dlf_jax.checkpoints import directory
from dlf_jax.codec.container import Header, pack
from dlf_jax.errors import UserError
from tests.codec.tiny import make_model, random_image


@pytest.fixture
def bundled(tiny_model, tmp_path, monkeypatch):
    """The tiny model is bundled, as "tiny"."""
    shutil.copytree(tiny_model, tmp_path / "tiny")
    monkeypatch.setattr(directory, "BUNDLED", tmp_path)


def test_a_model_is_loaded_once(tiny_model):
    assert dlf_jax.load(tiny_model) is dlf_jax.load(str(tiny_model))
    assert dlf_jax.load(tiny_model).num_rates == 2


def test_a_model_that_is_replaced_is_read_again(tmp_path, monkeypatch):
    for seed in (0, 1):
        make_model(tmp_path / str(seed), seed=seed)
    monkeypatch.chdir(tmp_path)
    shutil.copytree("0", "model")
    first = dlf_jax.load("model")
    (tmp_path / "1" / "config.json").replace("model/config.json")
    (tmp_path / "1" / "model.safetensors").replace("model/model.safetensors")
    assert dlf_jax.load("model").model_id != first.model_id
    monkeypatch.chdir(tmp_path / "0")
    with pytest.raises(UserError, match="no model 'model'"):
        dlf_jax.load("model")


def test_bundled_models_have_names_and_files_find_them(bundled, tiny_model):
    images = [random_image(10, 15), random_image(1, 1)]
    files = dlf_jax.compress(images, model="tiny")
    assert files == dlf_jax.compress(images, model=tiny_model)
    assert dlf_jax.info(files[0]).rate == 1
    for found, wanted in zip(
        dlf_jax.decompress(files),
        dlf_jax.load(tiny_model).decompress(files),
        strict=True,
    ):
        np.testing.assert_array_equal(found, wanted)


def test_files_of_absent_models_are_refused(bundled):
    data = pack(Header(b"abc", 0, 15, 10), b"payload")
    with pytest.raises(UserError, match="needs model 616263"):
        dlf_jax.decompress(data)
    with pytest.raises(UserError, match="no model 'other'"):
        dlf_jax.compress(random_image(1, 1), model="other")
