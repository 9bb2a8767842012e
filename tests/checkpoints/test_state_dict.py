"""Every format gives the same arrays; what cannot be read is said in one line."""

import sys
import types
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from dlf_jax.checkpoints.arrays import LazyArray
from dlf_jax.checkpoints.state_dict import read_state_dict, writer_for
from dlf_jax.errors import UserError

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


def test_pytorch_files_need_torch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with zipfile.ZipFile(tmp_path / "x.ckpt", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    (tmp_path / "old.bin").write_bytes(b"\x80\x02.")
    for name in ("x.ckpt", "old.bin"):
        with pytest.raises(UserError, match="pip install torch, or save .*safetensors"):
            read_state_dict(tmp_path / name)


@pytest.fixture
def torch():
    """The library, which nothing but PyTorch files needs."""
    return pytest.importorskip("torch")


@pytest.fixture
def tensors(torch):
    return {name: torch.from_numpy(array) for name, array in ARRAYS.items()}


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("new", [True, False])
def test_pytorch(tmp_path, torch, tensors, bare, new):
    content = tensors if bare else {"state_dict": tensors, "epoch": 3}
    torch.save(content, tmp_path / "x", _use_new_zipfile_serialization=new)
    assert_same(read(tmp_path / "x"))


def test_bfloat16_tensors_become_float32(tmp_path, torch):
    torch.save({"v": torch.tensor([1.5, -2.0]).bfloat16()}, tmp_path / "x")
    assert_same(read(tmp_path / "x"), {"v": np.array([1.5, -2.0], np.float32)})


def test_objects_beside_the_state_dict_do_not_run(tmp_path, torch, tensors):
    ran = []
    module = types.ModuleType("elsewhere")

    class Callback:
        def __init__(self):
            self.best = 1.0

        def __reduce__(self):
            return make, (1,), {"best": self.best}

    def make(_):
        ran.append(1)
        return Callback()

    for thing in (Callback, make):
        thing.__module__, thing.__qualname__ = "elsewhere", thing.__name__
        setattr(module, thing.__name__, thing)
    sys.modules["elsewhere"] = module
    content = {"state_dict": tensors, "callbacks": {Callback: [Callback()]}}
    try:
        torch.save(content, tmp_path / "x")
        assert_same(read(tmp_path / "x"))
        assert not ran
    finally:
        del sys.modules["elsewhere"]
    assert_same(read(tmp_path / "x"))


def test_pytorch_files_without_a_state_dict(tmp_path, torch):
    for content in ([1, 2], {"epoch": 3}, {"state_dict": None}):
        torch.save(content, tmp_path / "x")
        with pytest.raises(UserError, match="holds no state dict"):
            read_state_dict(tmp_path / "x")
    torch.save({"v": torch.ones(1000)}, tmp_path / "x")
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-500])
    with pytest.raises(UserError, match="is damaged") as caught:
        read_state_dict(tmp_path / "x")
    assert "\n" not in str(caught.value)
