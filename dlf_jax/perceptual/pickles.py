"""Arrays out of pickles and PyTorch files, without PyTorch and without their code.

Nothing but containers, strings, numbers and arrays is ever built.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np

from dlf_jax.errors import UserError

# The function that rebuilds an array has moved between NumPy versions; asking an
# array for it works in all of them.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_NUMPY = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
# What unpickling raises on files that are not what they say.
_DAMAGE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
)


class _Unpickler(pickle.Unpickler):
    """Unpickler that knows nothing but what it is given."""

    def __init__(self, stream: io.BufferedIOBase, allowed: dict[tuple[str, str], Any]):
        super().__init__(stream)
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed") from None


def unpickle_arrays(data: bytes) -> Any:
    """Reads a pickle made of containers, strings, numbers and NumPy arrays.

    Args:
        data: the pickle.

    Returns:
        The unpickled object.

    Raises:
        pickle.UnpicklingError: the pickle refers to anything else.
    """
    return _Unpickler(io.BytesIO(data), _NUMPY).load()


def _rebuild_tensor(storage, offset, size, stride, requires_grad, hooks):
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min((offset, *stride)) < 0 or (0 not in size and last >= storage.size):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides)


_TORCH = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, grad, hooks: tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


def read_torch_file(data: bytes, name: str) -> Any:
    """What `torch.save` wrote: a tree of float32 and int64 tensors, as NumPy arrays.

    Reads the zip files of PyTorch 1.6 and later, and the older kind.

    Args:
        data: the file.
        name: what error messages call it.

    Raises:
        UserError: it is no such file, is damaged, or has anything else in it.
    """
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            return _read_zip(data)
        return _read_legacy(data)
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{name} is no intact PyTorch file: {reason}") from error


def _read_zip(data: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (index,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        folder = index.removesuffix("data.pkl")
        unpickler = _Unpickler(io.BytesIO(archive.read(index)), _TORCH)
        unpickler.persistent_load = lambda key: np.frombuffer(
            archive.read(f"{folder}data/{key[2]}"), key[1]
        )
        return unpickler.load()


def _read_legacy(data: bytes) -> Any:
    """Magic number, version, machine, tree, keys; then each storage with its length."""
    stream = io.BytesIO(data)
    magic, version, _ = (_Unpickler(stream, {}).load() for _ in range(3))
    if (magic, version) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
        raise ValueError("it has another magic number")
    storages: dict[str, np.ndarray] = {}

    def storage(key: tuple) -> np.ndarray:
        _, dtype, name, _, count, _ = key
        if count * dtype.itemsize > len(data):
            raise ValueError("a storage is larger than the file")
        return storages.setdefault(name, np.zeros(count, dtype))

    unpickler = _Unpickler(stream, _TORCH)
    unpickler.persistent_load = storage
    tree = unpickler.load()
    for name in _Unpickler(stream, {}).load():
        found = storages[name]
        if int.from_bytes(stream.read(8), "little") != found.size:
            raise ValueError("a storage has another length than announced")
        # Tensors are views: they see what comes into their storage now.
        found[:] = np.frombuffer(stream.read(found.nbytes), found.dtype)
    return tree
