"""State dicts of PyTorch files are read, and nothing of the files runs."""

import os
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest

from dlf_jax.errors import UserError
from dlf_jax.pytorch_files import map_file, read_pytorch_file
from tests.golden.make_lightning import FOLDER, expected

_FILES = ["legacy.pt", "zip.pt", "lightning.ckpt", "lightning_legacy.ckpt"]


class _Exploit:
    def __reduce__(self):
        return (os.system, ("touch exploited",))


class _Storage:
    """A storage as a pickle names it."""

    def __init__(self, *key):
        self.key = key


def in_zip(path, tree, members=()):
    """A file of PyTorch with a tree of anything."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value.key if isinstance(value, _Storage) else None

    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("archive/data.pkl", "w") as file:
            Pickler(file, 2).dump(tree)
        for name, content in members:
            archive.writestr(f"archive/{name}", content)
    return path.read_bytes()


def tensor(storage, offset=0, size=(2,), stride=(1,)):
    """An object that is pickled as a call of PyTorch's function, and the function."""

    def rebuild(*_):
        raise AssertionError

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    arguments = (storage, offset, size, stride, False, None)

    class Tensor:
        def __reduce__(self):
            return rebuild, arguments

    return Tensor(), rebuild


@pytest.mark.parametrize("name", ["legacy.pt", "zip.pt"])
def test_files_of_pytorch(name):
    found = read_pytorch_file((FOLDER / name).read_bytes(), name)
    whole = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(found["a"], whole)
    np.testing.assert_array_equal(found["part"], whole[1, :, 1:3].T)
    assert found["n"].dtype == np.int64 and found["n"] == 7
    np.testing.assert_array_equal(found["p"], np.ones(2))


@pytest.mark.parametrize("name", ["lightning.ckpt", "lightning_legacy.ckpt"])
def test_checkpoints_with_objects_of_other_classes(name):
    found = read_pytorch_file(map_file(FOLDER / name), name)
    assert found.keys() == expected().keys()
    for key, wanted in expected().items():
        array = found[key]
        kind = "bfloat16" if key == "brain" else wanted.dtype.name
        assert (array.dtype.name, array.shape) == (kind, wanted.shape), key
        np.testing.assert_array_equal(array.astype(wanted.dtype), wanted)
    assert np.shares_memory(found["whole"], found["part"])


def test_arrays_are_views_of_a_mapped_file():
    data = map_file(FOLDER / "lightning.ckpt")
    whole = read_pytorch_file(data, "file")["whole"]
    assert np.shares_memory(whole, np.frombuffer(data, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        whole[0] = 1


@pytest.mark.parametrize("payload", [_Exploit(), print, os.path.join, np.save])
def test_code_does_not_run(payload, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = in_zip(tmp_path / "x", {"conv": payload, payload: [payload]})
    with pytest.raises(UserError, match="file holds no state dict"):
        read_pytorch_file(data, "file")
    with pytest.raises(UserError, match="no intact PyTorch file"):
        read_pytorch_file(pickle.dumps(payload), "file")
    assert not (tmp_path / "exploited").exists()


@pytest.mark.parametrize(
    ("key", "where", "message"),
    [
        (("storage", "FloatStorage", "0", "cpu", 2), {"offset": 1}, "beyond its"),
        (("storage", "FloatStorage", "0", "cpu", 2), {"offset": -1}, "negative"),
        (("storage", "FloatStorage", "0", "cpu", 2), {"stride": (2,)}, "beyond its"),
        (("storage", "FloatStorage", "0", "cpu", 3), {}, "another size"),
        (("storage", "FloatStorage", "0", "cpu", -1), {}, "another size"),
        (("storage", "FloatStorage", "1", "cpu", 2), {}, "data/1"),
        (("storage", "FloatStorage", "0", "cpu", 2, ("a", 0, 1)), {}, "a view"),
        (("module", "FloatStorage", "0", "cpu", 2), {}, "a view"),
        (("storage", "ObjectStorage", "0", "cpu", 2), {}, "no state dict"),
        (("storage",), {}, "not enough values"),
        (7, {}, "int"),
    ],
)
def test_hostile_tensors_are_errors_of_one_line(
    tmp_path, monkeypatch, key, where, message
):
    key = key if isinstance(key, tuple) else (key,)
    value, rebuild = tensor(_Storage(*key), **where)
    module = types.ModuleType("torch._utils")
    module._rebuild_tensor_v2 = rebuild
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    monkeypatch.setitem(sys.modules, "torch._utils", module)
    data = in_zip(tmp_path / "x", {"v": value}, [("data/0", bytes(8))])
    with pytest.raises(UserError, match=message) as error:
        read_pytorch_file(data, "file")
    assert "\n" not in str(error.value)


def test_other_zip_files_are_rejected(tmp_path):
    data = in_zip(tmp_path / "x", {}, [("byteorder", "big")])
    with pytest.raises(UserError, match="not little-endian"):
        read_pytorch_file(data, "file")
    with zipfile.ZipFile(tmp_path / "y", "w") as archive:
        archive.writestr("a.txt", "text")
    with pytest.raises(UserError, match=r"0 entries data\.pkl"):
        read_pytorch_file((tmp_path / "y").read_bytes(), "file")


@pytest.mark.parametrize("name", _FILES)
def test_truncated_files_are_errors_of_one_line(name):
    data = (FOLDER / name).read_bytes()
    for end in range(0, len(data), 29):
        with pytest.raises(UserError, match="no intact") as error:
            read_pytorch_file(data[:end], "file")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", _FILES)
def test_changed_files_are_read_or_rejected(name):
    data = (FOLDER / name).read_bytes()
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(300):
        broken = bytearray(data)
        for place in rng.integers(len(data), size=rng.integers(1, 6)):
            broken[place] = rng.integers(256)
        try:
            read_pytorch_file(bytes(broken), "file")
        except UserError as error:
            assert "\n" not in str(error)
            rejected += 1
    assert 0 < rejected < 300
