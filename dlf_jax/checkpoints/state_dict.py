"""State dicts in files of PyTorch, safetensors and NumPy, read array by array."""

import contextlib
import functools
import pickle
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from dlf_jax.checkpoints.arrays import LazyArray, read_safetensors, write_safetensors
from dlf_jax.errors import UserError
from dlf_jax.extras import how

_NPY = ".npy"
_ZIP_MAGIC = b"PK\x03\x04"
_PICKLE_MAGIC = b"\x80"
# What readers raise on files that are not what they say.
_DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    RuntimeError,
    EOFError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    SafetensorError,
)


def read_state_dict(path: Path) -> dict[str, LazyArray]:
    """Arrays of a checkpoint by name; the content says what format it is.

    Args:
      path: of PyTorch (a state dict, or one under "state_dict" as Lightning writes
        it), safetensors, or an .npz of arrays.

    Raises:
      UserError: the file cannot be read, or it is a PyTorch file and torch is not
        installed.
    """

    def guarded(read: Callable[[], np.ndarray]) -> np.ndarray:
        with _damage(path):
            return read()

    with _damage(path):
        arrays = _read(path)
    return {
        name: LazyArray(
            array.shape, array.dtype, functools.partial(guarded, array.read)
        )
        for name, array in arrays.items()
    }


def _read(path: Path) -> dict[str, LazyArray]:
    with path.open("rb") as file:
        start = file.read(9)
    # First, because the eight bytes before this one are a number, whatever it is.
    if start[8:] == b"{":
        return read_safetensors(path)
    if start.startswith(_PICKLE_MAGIC):
        return _read_torch(path, mmap=False)
    if start.startswith(_ZIP_MAGIC):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if all(name.endswith(_NPY) for name in names):
            return _read_npz(path)
        if any(name.endswith("data.pkl") for name in names):
            return _read_torch(path, mmap=True)
    raise UserError(
        f"{path} is no checkpoint: neither of PyTorch nor .safetensors nor .npz"
    )


def writer_for(path: Path) -> Callable[[Path, dict[str, LazyArray]], object]:
    """What writes arrays to a new file with the ending of `path`, one by one.

    Raises:
      UserError: the ending is neither .safetensors nor .npz.
    """
    writers = {".safetensors": write_safetensors, ".npz": _write_npz}
    if path.suffix not in writers:
        raise UserError(
            f"cannot write {path}: name a file that ends in {' or '.join(writers)}"
        )
    return writers[path.suffix]


def _read_npz(path: Path) -> dict[str, LazyArray]:
    # Stays open as long as the arrays are in use: its directory takes long to read.
    archive = zipfile.ZipFile(path)

    def read(member: str) -> np.ndarray:
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    arrays = {}
    for member in archive.namelist():
        with archive.open(member) as file:
            shape, dtype = _npy_header(file)
        name = member.removesuffix(_NPY)
        arrays[name] = LazyArray(shape, dtype, functools.partial(read, member))
    return arrays


def _npy_header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    return shape, dtype


def _write_npz(path: Path, arrays: dict[str, LazyArray]) -> None:
    with zipfile.ZipFile(path, "x") as archive:
        for name, array in arrays.items():
            with archive.open(name + _NPY, "w", force_zip64=True) as file:
                value = np.asarray(array.read(), order="C")
                np.lib.format.write_array(file, value, allow_pickle=False)


def _read_torch(path: Path, *, mmap: bool) -> dict[str, LazyArray]:
    try:
        import torch
    except ImportError as error:
        raise UserError(
            f"{path} is a PyTorch file, and torch is missing: {how('torch', 'torch')}, "
            "or save its state dict as .safetensors where torch is"
        ) from error
    # Lightning keeps objects of its own beside the state dict.
    foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path) if mmap else []
    with torch.serialization.safe_globals([(_Ignored, name) for name in foreign]):
        content = torch.load(
            str(path), map_location="cpu", weights_only=True, mmap=mmap
        )
    if isinstance(content, dict):
        content = content.get("state_dict", content)
    tensors = {
        name: value
        for name, value in (content.items() if isinstance(content, dict) else ())
        if isinstance(value, torch.Tensor)
    }
    if not tensors:
        raise UserError(f"{path} holds no state dict")

    def read(tensor: torch.Tensor) -> np.ndarray:
        tensor = tensor.detach()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()

    return {
        name: LazyArray(
            tuple(tensor.shape),
            read(tensor.new_empty(0)).dtype,
            functools.partial(read, tensor),
        )
        for name, tensor in tensors.items()
    }


class _Ignored:
    """Stands in for every object that is no array; nothing of the original runs."""

    def __new__(cls, *_):
        return super().__new__(cls)

    def __init__(self, *_):
        pass

    def __setstate__(self, _):
        pass


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turns what unreadable files cause into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except _DAMAGE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} is damaged or not supported: {reason}") from error
