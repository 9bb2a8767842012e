"""State dicts in files of PyTorch, safetensors and NumPy, read array by array."""

import contextlib
import functools
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError

from dlf_jax.checkpoints.arrays import (
    LazyArray,
    in_memory,
    read_safetensors,
    write_safetensors,
)
from dlf_jax.errors import UserError
from dlf_jax.pytorch_files import ZIP_MAGIC, map_file, read_pytorch_file

_NPY = ".npy"
_PICKLE_MAGIC = b"\x80"
# Raised by readers on files that are not what they claim to be.
_DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    RuntimeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    SafetensorError,
)


def read_state_dict(path: Path) -> dict[str, LazyArray]:
    """Arrays of a checkpoint by name, in the format that its content shows.

    Args:
      path: a file of PyTorch (a state dict, or one under "state_dict" as Lightning
        writes it), safetensors, or an .npz of arrays.

    Raises:
      UserError: the file cannot be read, or is no checkpoint.
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
    # First, because any other magic may occur in the eight bytes of length.
    if start[8:] == b"{":
        return read_safetensors(path)
    if start.startswith(_PICKLE_MAGIC):
        return _read_pytorch(path)
    if start.startswith(ZIP_MAGIC):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if all(name.endswith(_NPY) for name in names):
            return _read_npz(path)
        if any(name.endswith("data.pkl") for name in names):
            return _read_pytorch(path)
    raise UserError(
        f"{path} is no checkpoint: give a file of PyTorch, .safetensors or .npz"
    )


def writer_for(path: Path) -> Callable[[Path, dict[str, LazyArray]], object]:
    """The function that writes arrays, one by one, to a new file like `path`.

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
    # Open as long as the arrays are in use: reading the directory takes long.
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


def _read_pytorch(path: Path) -> dict[str, LazyArray]:
    arrays = in_memory(read_pytorch_file(map_file(path), str(path)))
    return {
        name: array.map(_widened) if array.dtype == jnp.bfloat16 else array
        for name, array in arrays.items()
    }


def _widened(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32)


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turns the exceptions that unreadable files cause into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except _DAMAGE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"{path} is damaged or not supported ({reason}): copy it again"
        ) from error
