"""Weight files: checks, caching and offline behaviour."""

import dataclasses
import hashlib
import os
import pickle
import subprocess

import numpy as np
import pytest

from dlf_jax.errors import UserError
from dlf_jax.perceptual import weights
from dlf_jax.perceptual.fetch import Member


def test_tampered_file_is_rejected(tmp_path):
    (tmp_path / "alexnet.ckpt").write_bytes(pickle.dumps({}))
    with pytest.raises(UserError, match="damaged"):
        weights.load_lpips_params("alex", tmp_path)


def test_offline_names_the_way_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match="put alexnet.ckpt and vgg16.ckpt") as error:
        weights.load_lpips_params("alex", tmp_path / "new")
    assert "\n" not in str(error.value)
    assert capsys.readouterr().err.count("64 MB") == 1
    assert os.listdir(tmp_path / "new") == []


def test_slow_index_is_an_error_for_the_user(tmp_path, monkeypatch):
    def never_ends(command, **kwargs):
        raise subprocess.TimeoutExpired(command, kwargs["timeout"])

    monkeypatch.setattr(subprocess, "run", never_ends)
    with pytest.raises(UserError, match="longer than"):
        weights.load_lpips_params("vgg", tmp_path)


def test_file_becomes_parameters(tmp_path, monkeypatch):
    conv = {
        "kernel": np.ones((3, 3, 3, 4), np.float32),
        "bias": np.zeros(4, np.float32),
    }
    head = {"Conv_0": {"kernel": np.full((1, 1, 4, 1), 2.0, np.float32)}}
    tree = {"VGG16_0": {"Conv_0": conv}, "NetLinLayer_0": head}
    data = pickle.dumps(tree, protocol=4)  # as the published file
    (tmp_path / "vgg16.ckpt").write_bytes(data)
    member = Member("vgg16.ckpt", hashlib.sha256(data).hexdigest())
    files = dataclasses.replace(weights._LPIPS, members=(member, member))
    monkeypatch.setattr(weights, "_LPIPS", files)
    params = weights.load_lpips_params("vgg", tmp_path)
    assert sorted(params) == ["conv_0", "head_0"]
    np.testing.assert_array_equal(params["head_0"]["scale"], np.full(4, 2.0))


@pytest.mark.parametrize(
    ("load", "size"),
    [(weights.load_dists_params, "1 MB"), (weights.load_efficientnet_params, "17 MB")],
)
def test_other_weights_say_where_they_come_from(
    load, size, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match="cannot be fetched; connect"):
        load(tmp_path)
    assert capsys.readouterr().err.count(size) == 1
    assert os.listdir(tmp_path) == []
