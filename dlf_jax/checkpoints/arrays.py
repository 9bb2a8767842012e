"""Arrays read on demand, and safetensors files of arrays.

Checkpoints are as large as the memory of a small machine: functions here hold one array
at a time, and a loaded model is a view of its file.  The safetensors library checks
each header; its NumPy reader copies every array, so arrays are read and mapped here.
"""

import dataclasses
import hashlib
import json
import math
import mmap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from dlf_jax import strict_json

# XLA uses arrays at multiples of this address in place, and copies all others.
_ALIGNMENT = 64
_DIGEST = "sha256"
_NO_DIGEST = "0" * 64

_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",  # the upper half of a float32
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}
_CODES = {np.dtype(_TYPES[code]): code for code in _TYPES if code != "BF16"}


@dataclasses.dataclass(frozen=True)
class LazyArray:
    """An array that is read on demand.

    Attributes:
      shape, dtype: of the array, known without reading.
      read: returns the array; every call reads the file again.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the array in memory."""
        return self.size * self.dtype.itemsize

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> "LazyArray":
        """A lazy array with a function applied that moves axes or changes the type."""
        nothing = function(np.broadcast_to(np.zeros((), self.dtype), self.shape))
        return LazyArray(nothing.shape, nothing.dtype, lambda: function(self.read()))


def in_memory(arrays: Mapping[str, Any]) -> dict[str, LazyArray]:
    """Lazy arrays of NumPy or jax arrays."""
    return {
        name: LazyArray(value.shape, value.dtype, lambda value=value: np.asarray(value))
        for name, value in arrays.items()
    }


@dataclasses.dataclass(frozen=True)
class _Stored:
    """Type, shape and place of an array in a safetensors file."""

    code: str
    shape: tuple[int, ...]
    start: int

    @property
    def dtype(self) -> np.dtype:
        """Type of the array as read."""
        return np.dtype("<f4" if self.code == "BF16" else _TYPES[self.code])

    def read(self, path: Path) -> np.ndarray:
        """A copy of the array."""
        count, stored = math.prod(self.shape), np.dtype(_TYPES[self.code])
        return self._decoded(np.fromfile(path, stored, count, offset=self.start))

    def view(self, content: mmap.mmap) -> np.ndarray:
        """A view of the array in a memory-mapped file."""
        count, stored = math.prod(self.shape), np.dtype(_TYPES[self.code])
        return self._decoded(np.frombuffer(content, stored, count, self.start))

    def _decoded(self, array: np.ndarray) -> np.ndarray:
        if self.code == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        return array.reshape(self.shape)


def read_safetensors(path: Path) -> dict[str, LazyArray]:
    """The arrays of a safetensors file.

    Raises:
      OSError: the file cannot be read.
      SafetensorError: the file is no intact safetensors file.
    """
    return {
        name: LazyArray(
            stored.shape, stored.dtype, lambda stored=stored: stored.read(path)
        )
        for name, stored in _table(path)[0].items()
    }


def map_safetensors(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of a file in float32, and their computed `digest`.

    float32 holds integers up to 2^24 exactly.  Arrays stored in float32 are views of
    the file: the operating system reads pages on demand and can drop them again.

    Raises:
      OSError: the file cannot be read.
      SafetensorError: the file is no intact safetensors file.
      ValueError: the values do not match the digest stored in the file.
    """
    table, metadata = _table(path)
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    arrays = {name: stored.view(content) for name, stored in table.items()}
    found = digest(in_memory(arrays))
    if metadata.get(_DIGEST, found) != found:
        raise ValueError(f"{path.name} was changed after it was written")
    for name, stored in table.items():
        if stored.code != "F32" or stored.start % _ALIGNMENT:
            view, arrays[name] = arrays[name], _aligned(stored.shape)
            arrays[name][...] = view
    return arrays, found


def write_safetensors(path: Path, arrays: Mapping[str, LazyArray]) -> str:
    """Writes a new file array by array; returns and stores the `digest`.

    Args:
      path: must not exist.
      arrays: real numbers or booleans.
    """
    table, start = {}, 0
    for name in _order(arrays):
        array, end = arrays[name], start + arrays[name].nbytes
        table[name] = {
            "dtype": _CODES[array.dtype],
            "shape": array.shape,
            "data_offsets": (start, end),
        }
        start = end

    def header(hexdigest: str) -> bytes:
        text = strict_json.dumps(
            {"__metadata__": {_DIGEST: hexdigest}, **table}
        ).encode()
        text += b" " * (-(8 + len(text)) % _ALIGNMENT)
        return len(text).to_bytes(8, "little") + text

    with path.open("xb") as file:
        file.write(header(_NO_DIGEST))
        hexdigest = digest(arrays, file.write)
        file.seek(0)
        file.write(header(hexdigest))
    return hexdigest


def digest(
    arrays: Mapping[str, LazyArray],
    sink: Callable[[memoryview], object] = lambda _: None,
) -> str:
    """SHA-256 over names, types, shapes and values, independent of the file format.

    Args:
      arrays: the arrays, read one at a time.
      sink: receives the bytes of every array.
    """
    found = hashlib.sha256()
    for name in _order(arrays):
        value = np.asarray(arrays[name].read(), order="C")
        found.update(f"{name} {value.dtype.str} {value.shape}".encode())
        content = memoryview(value.reshape(-1)).cast("B") if value.size else b""
        found.update(content)
        sink(content)
        del value, content  # free the memory before reading the next array
    return found.hexdigest()


def _order(arrays: Mapping[str, LazyArray]) -> list[str]:
    """Names in order, arrays whose size is a multiple of the alignment first."""
    return sorted(arrays, key=lambda name: (arrays[name].nbytes % _ALIGNMENT > 0, name))


def _table(path: Path) -> tuple[dict[str, _Stored], Mapping[str, str]]:
    """Arrays in the header of a file, checked by the library, and the metadata."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    unknown = {about["dtype"] for about in header.values()} - _TYPES.keys()
    if unknown:
        raise SafetensorError(f"arrays of type {', '.join(sorted(unknown))}")
    return {
        name: _Stored(
            about["dtype"], tuple(about["shape"]), 8 + length + about["data_offsets"][0]
        )
        for name, about in header.items()
    }, metadata


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    """An uninitialised float32 array that XLA does not copy."""
    nbytes = 4 * math.prod(shape)
    buffer = np.empty(nbytes + _ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % _ALIGNMENT
    return buffer[start : start + nbytes].view(np.float32).reshape(shape)
