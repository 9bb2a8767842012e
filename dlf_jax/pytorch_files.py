"""Tensors of PyTorch files, without PyTorch and without running code of the file.

Reads the zip files of PyTorch 1.6 and later, and the legacy files before them.  Arrays
are views of the file's bytes, so that a memory-mapped file is read only where its
arrays are.  Training checkpoints hold objects of many other classes (hyperparameters,
callbacks, progress of loops): each becomes a `_Skipped` that does nothing.

Format: torch/serialization.py of PyTorch.
"""

import io
import mmap
import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from dlf_jax.errors import UserError

ZIP_MAGIC = b"PK\x03\x04"
_LOCAL_HEADER_BYTES = 30
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_STORAGES = {
    "BFloat16Storage": np.dtype(jnp.bfloat16),
    "BoolStorage": np.dtype("?"),
    "ByteStorage": np.dtype("u1"),
    "CharStorage": np.dtype("i1"),
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "IntStorage": np.dtype("<i4"),
    "LongStorage": np.dtype("<i8"),
    "ShortStorage": np.dtype("<i2"),
}
# Raised on bytes that are not what they claim to be.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)

Bytes = bytes | mmap.mmap


class _MappedFile(mmap.mmap):
    """A memory-mapped file that `zipfile` accepts as a stream."""

    def seekable(self) -> bool:
        return True


def map_file(path: Path) -> mmap.mmap:
    """The bytes of a file, read when they are used.

    Raises:
      OSError: the file cannot be read.
      ValueError: the file is empty.
    """
    with path.open("rb") as file:
        return _MappedFile(file.fileno(), 0, access=mmap.ACCESS_READ)


def read_pytorch_file(data: Bytes, name: str) -> dict[str, np.ndarray]:
    """The state dict in a file of `torch.save`.

    Args:
      data: the file: a state dict, or a dictionary with one under "state_dict", as
        Lightning writes it.
      name: of the file, for error messages.

    Returns:
      Name -> read-only view of `data`; bfloat16 as `jnp.bfloat16`.

    Raises:
      UserError: the file is damaged, of another format, or has no state dict.
    """
    try:
        is_zip = data[: len(ZIP_MAGIC)] == ZIP_MAGIC
        tree = _read_zip(data) if is_zip else _read_legacy(data)
    except _DAMAGE as error:
        reason = " ".join((str(error) or type(error).__name__).split())
        raise UserError(
            f"{name} is no intact PyTorch file ({reason}): copy it again"
        ) from error
    if isinstance(tree, dict):
        tree = tree.get("state_dict", tree)
    arrays = {
        key: value
        for key, value in (tree.items() if isinstance(tree, dict) else ())
        if isinstance(key, str) and isinstance(value, np.ndarray)
    }
    if not arrays:
        raise UserError(
            f"{name} holds no state dict: give a file that torch.save wrote of one"
        )
    return arrays


class _Skipped:
    """Stands for an object of any other class; takes what unpickling hands over."""

    __slots__ = ()

    def __new__(cls, *_: Any, **__: Any):
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any):
        pass

    def _ignore(*_: Any) -> None:
        pass

    __setstate__ = __setitem__ = append = extend = add = _ignore


class _Rebuild:
    """A function of PyTorch that makes a tensor, or a parameter of a tensor.

    An object without attributes, so that a pickle cannot set any.
    """

    __slots__ = ()

    def __call__(self, storage: Any, *rest: Any) -> Any:
        if isinstance(storage, _Skipped):
            return storage
        if not isinstance(storage, np.ndarray):
            raise pickle.UnpicklingError("a tensor has no storage")
        return self._of(storage, *rest)

    def _of(self, storage, offset, size, stride, *_):
        last = offset + sum(
            (n - 1) * step for n, step in zip(size, stride, strict=True)
        )
        if min((offset, *stride, *size)) < 0:
            raise pickle.UnpicklingError("a tensor has negative sizes")
        if 0 not in size and last >= storage.size:
            raise pickle.UnpicklingError("a tensor reaches beyond its storage")
        strides = [step * storage.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(
            storage[offset:], size, strides, writeable=False
        )


class _RebuildParameter(_Rebuild):
    __slots__ = ()

    def _of(self, tensor, *_):
        return tensor


_CLASSES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _Rebuild(),
    ("torch._utils", "_rebuild_tensor_v2"): _Rebuild(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
    ("torch._utils", "_rebuild_parameter_with_state"): _RebuildParameter(),
    # Names: strings have no state that a pickle could change.
    **{("torch", name): name for name in _STORAGES},
}


class _Unpickler(pickle.Unpickler):
    """Builds containers, strings, numbers and tensors; imports nothing."""

    def __init__(
        self, stream: Any, storage: Callable[[Any], Any] = lambda _: _Skipped()
    ):
        super().__init__(stream)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        return _CLASSES.get((module, name), _Skipped)

    def persistent_load(self, key: Any) -> Any:
        return self._storage(key)


def _split(key: Any) -> tuple[np.dtype | None, str, int]:
    """Type, name and length of a storage; the type is None if it is unknown."""
    kind, type_name, name, _, count, *views = key
    if kind != "storage" or views not in ([], [None]):
        raise pickle.UnpicklingError("a storage is a view of another one")
    return _STORAGES.get(type_name), name, count


def _view(data: Bytes, dtype: np.dtype, count: int, offset: int) -> np.ndarray:
    if not 0 <= count * dtype.itemsize <= len(data) - offset:
        raise pickle.UnpicklingError("a storage reaches beyond the file")
    if not count:
        return np.empty(0, dtype)
    return np.frombuffer(data, dtype, count, offset)


def _stream(data: Bytes) -> Any:
    return io.BytesIO(data) if isinstance(data, bytes) else data


def _read_zip(data: Bytes) -> Any:
    with zipfile.ZipFile(_stream(data)) as archive:
        members = {info.filename: info for info in archive.infolist()}
        indexes = [name for name in members if name.endswith("/data.pkl")]
        if len(indexes) != 1:
            raise ValueError(f"it has {len(indexes)} entries data.pkl instead of one")
        folder = indexes[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in members and archive.read(order) != b"little":
            raise ValueError("its numbers are not little-endian")

        def storage(key: Any) -> Any:
            dtype, name, count = _split(key)
            if dtype is None:
                return _Skipped()
            member = members[f"{folder}data/{name}"]
            if member.compress_type or count * dtype.itemsize != member.file_size:
                raise ValueError(f"storage {name} has another size than announced")
            return _view(data, dtype, count, _content(data, member))

        return _Unpickler(io.BytesIO(archive.read(indexes[0])), storage).load()


def _content(data: Bytes, member: zipfile.ZipInfo) -> int:
    """Offset of an uncompressed member's content."""
    end = member.header_offset + _LOCAL_HEADER_BYTES
    header = data[member.header_offset : end]
    if not header.startswith(ZIP_MAGIC):
        raise zipfile.BadZipFile("a member is not where the directory says")
    return end + sum(struct.unpack("<HH", header[-4:]))


def _read_legacy(data: Bytes) -> Any:
    """Magic number, version, machine, tree, names; then each storage with its length.

    The tree is read twice: the storages' places follow from their lengths in the tree.
    """
    stream = _stream(data)
    magic, version, _ = (_Unpickler(stream).load() for _ in range(3))
    if (magic, version) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
        raise ValueError("it has another magic number")
    start = stream.tell()
    found: dict[str, tuple[np.dtype | None, int]] = {}

    def note(key: Any) -> _Skipped:
        dtype, name, count = _split(key)
        found[name] = dtype, count
        return _Skipped()

    _Unpickler(stream, note).load()
    storages = _storages(data, _Unpickler(stream).load(), found, stream.tell())
    stream.seek(start)
    return _Unpickler(stream, lambda key: storages[_split(key)[1]]).load()


def _storages(
    data: Bytes,
    names: list[str],
    found: Mapping[str, tuple[np.dtype | None, int]],
    offset: int,
) -> dict[str, np.ndarray]:
    storages = {}
    for name in names:
        dtype, count = found[name]
        if dtype is None:
            raise ValueError("a storage is of an unknown type")
        if int.from_bytes(data[offset : offset + 8], "little") != count:
            raise ValueError("a storage has another length than announced")
        offset += 8
        storages[name] = _view(data, dtype, count, offset)
        offset += storages[name].nbytes
    return storages
