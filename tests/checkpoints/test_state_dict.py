"""Every format gives the same arrays; what cannot be read is said in one line."""

import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from dlf_jax.checkpoints.arrays import LazyArray
from dlf_jax.checkpoints.state_dict import read_state_dict, writer_for
from dlf_jax.errors import UserError
from tests.golden.make_lightning import FOLDER, expected

ARRAYS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array(3, np.int64),
    "c.bias": np.array([1.0, np.inf], np.float16),
}


def read(path):
    return {name: array.read() for name, array in read_state_dict(path).items()}


def assert_same(found, expected=ARRAYS):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    save(tmp_path / "x.npz", **ARRAYS)
    assert_same(read(tmp_path / "x.npz"))
    shapes = {n: a.shape for n, a in read_state_dict(tmp_path / "x.npz").items()}
    assert shapes == {name: array.shape for name, array in ARRAYS.items()}


def test_content_and_not_the_ending_says_what_it_is(tmp_path):
    save_file(ARRAYS, tmp_path / "last.ckpt")
    assert_same(read(tmp_path / "last.ckpt"))


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_what_is_written_is_read(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    arrays = {"k": np.ones((4, 2), np.float32).T, "s": np.array(2, np.float32)}
    lazy = {n: LazyArray(a.shape, a.dtype, lambda a=a: a) for n, a in arrays.items()}
    writer_for(path)(path, lazy)
    assert_same(read(path), arrays)
    with pytest.raises(FileExistsError):
        writer_for(path)(path, lazy)


def test_other_endings_are_not_written(tmp_path):
    with pytest.raises(UserError, match="ends in .safetensors or .npz"):
        writer_for(tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no checkpoint"),
        (b"hello, this is text", "is no checkpoint"),
        (b"PK\x03\x04 and so on", "is damaged"),
        (b"\x10\0\0\0\0\0\0\0{ and so on", "is damaged"),
    ],
)
def test_files_that_are_no_checkpoints(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_state_dict(tmp_path / "x")
    assert "\n" not in str(caught.value)


def test_objects_in_an_npz_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.array([{}], object))
    with pytest.raises(UserError, match="damaged or not supported"):
        read(tmp_path / "x.npz")


def test_absent_files(tmp_path):
    with pytest.raises(UserError, match="cannot read .*: No such file"):
        read_state_dict(tmp_path / "absent.ckpt")


@pytest.mark.parametrize("name", ["lightning.ckpt", "lightning_legacy.ckpt"])
def test_pytorch(name):
    assert_same(read(FOLDER / name), expected())


def test_pytorch_files_without_a_state_dict(tmp_path):
    with zipfile.ZipFile(tmp_path / "x", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"epoch": 3}))
    with pytest.raises(UserError, match="holds no state dict"):
        read_state_dict(tmp_path / "x")
    data = (FOLDER / "lightning.ckpt").read_bytes()
    (tmp_path / "x").write_bytes(data[:-500])
    with pytest.raises(UserError, match="is damaged") as caught:
        read_state_dict(tmp_path / "x")
    assert "\n" not in str(caught.value)
