"""Cache of compiled programs in the user's cache folder, for a fast start.

jax writes entries of its cache in place and never replaces one: an entry truncated by a
full disk or `kill -9` stays, and every later process warns about it and compiles again.
jax is therefore given a URL whose path class writes files atomically, begins each with
a digest, and reports files with another digest as missing, so that jax replaces them.

Each version of Python has a folder of its own: jax compresses entries with zstd in 3.14
and zlib in 3.13, under the same names, and warns about the others (jax 0.12.0.1).
"""

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import platformdirs
from etils import epath

from dlf_jax.files import replacing

_VARIABLE = "JAX_COMPILATION_CACHE_DIR"
_SCHEME = "dlf-cache://"
_DIGEST_BYTES = 32
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


def enable_compile_cache() -> None:
    """Keeps compiled programs on disk, for all of jax in this process.

    The folder is the user's cache folder or, where jax's own setting or the environment
    variable JAX_COMPILATION_CACHE_DIR names another, ``dlf_jax`` in that.  An empty
    variable keeps the cache off.  An unusable folder and damaged files cost time and
    nothing else.
    """
    given = jax.config.jax_compilation_cache_dir
    if given is None:  # jax looked when it was imported
        given = os.environ.get(_VARIABLE)
    if given is None:
        url = f"{_SCHEME}{platformdirs.user_cache_dir('dlf_jax')}/compiled/{_PYTHON}"
    elif not given or given.startswith(_SCHEME):  # kept off; on already
        return
    elif "://" in given:
        url = given
    else:
        # Beside the entries of other programs, which are written without a digest.
        url = f"{_SCHEME}{os.path.abspath(os.path.expanduser(given))}/dlf_jax/{_PYTHON}"
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if url != jax.config.jax_compilation_cache_dir:
        from jax.experimental.compilation_cache import compilation_cache

        jax.config.update("jax_compilation_cache_dir", url)
        # An earlier compilation has fixed another cache, or none.
        compilation_cache.reset_cache()


def local_folder() -> Path | None:
    """Returns the folder of jax's cache; None if the cache is off or remote."""
    folder = (jax.config.jax_compilation_cache_dir or "").removeprefix(_SCHEME)
    return Path(folder) if folder and "://" not in folder else None


def read_entry(path: Path) -> bytes | None:
    """Returns the content of an entry; None if the file is missing or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return data if hashlib.sha256(data).digest() == digest else None


def write_entry(path: Path, data: bytes) -> None:
    """Writes an entry with its digest; does nothing if that is impossible."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(hashlib.sha256(data).digest() + data)


@epath.register_path_cls(_SCHEME)
class _EntryPath(os.PathLike):
    """Path of an entry, with the methods of `pathlib.Path` that jax's cache calls."""

    def __init__(self, url: str):
        self._path = epath.Path(url.removeprefix(_SCHEME))
        self._data: bytes | None = None

    def __fspath__(self) -> str:
        return os.fspath(self._path)

    __str__ = __fspath__  # XLA has files of its own below the folder

    def joinpath(self, *names: str) -> "_EntryPath":
        """A path below."""
        return _EntryPath("/".join([str(self), *names]))

    __truediv__ = joinpath

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self._path.name

    def mkdir(self, **_: Any) -> None:
        """Does nothing: `write_entry` makes the folder."""

    def exists(self) -> bool:
        """Returns whether the file exists and is intact."""
        self._data = read_entry(Path(self))
        return self._data is not None

    def read_bytes(self) -> bytes:
        """Returns the content that `exists` read, or reads the file."""
        if self._data is None and not self.exists():
            raise FileNotFoundError(f"{self} is not there, or damaged")
        return self._data

    def write_bytes(self, data: bytes) -> None:
        """Replaces the file."""
        write_entry(Path(self), data)

    def glob(self, pattern: str) -> "Iterator[_EntryPath]":
        """Files in this folder."""
        return (_EntryPath(os.fspath(path)) for path in self._path.glob(pattern))

    def stat(self) -> Any:
        """Facts about the file, in the form of `etils.epath`."""
        return self._path.stat()

    def unlink(self) -> None:
        """Removes the file."""
        self._path.unlink(missing_ok=True)
