"""Compiled programs kept in the user's cache folder: later processes start fast.

jax writes entries of its cache in place and never replaces one: what a full disk or
`kill -9` cut stays, and every later process warns about it and compiles again.  Hence
jax is given a path of our own class, by a URL: its files appear whole, begin with a
digest, and count as missing, to be written anew, where that does not fit.
"""

import contextlib
import hashlib
import os
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


def enable_compile_cache() -> None:
    """Keeps compiled programs on disk, for all of jax in this process.

    The folder is the user's cache folder or, where jax's own setting or the environment
    variable JAX_COMPILATION_CACHE_DIR names another, ``dlf_jax`` in that.  An empty
    variable keeps the cache off.  A folder that cannot be read or written, and damaged
    files in it, cost time and nothing else.
    """
    given = jax.config.jax_compilation_cache_dir
    if given is None:  # jax looked when it was imported
        given = os.environ.get(_VARIABLE)
    if given is None:
        url = f"{_SCHEME}{platformdirs.user_cache_dir('dlf_jax')}/compiled"
    elif not given or given.startswith(_SCHEME):  # kept off; on already
        return
    elif "://" in given:
        url = given
    else:
        # Beside the entries of other programs, which are written without a digest.
        url = f"{_SCHEME}{os.path.abspath(os.path.expanduser(given))}/dlf_jax"
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if url != jax.config.jax_compilation_cache_dir:
        from jax.experimental.compilation_cache import compilation_cache

        jax.config.update("jax_compilation_cache_dir", url)
        # What was compiled before has settled that there is no cache, or another.
        compilation_cache.reset_cache()


def local_folder() -> Path | None:
    """The folder of jax's cache; None where that is off or remote."""
    folder = (jax.config.jax_compilation_cache_dir or "").removeprefix(_SCHEME)
    return Path(folder) if folder and "://" not in folder else None


def read_entry(path: Path) -> bytes | None:
    """Content that `write_entry` wrote; None if there is none, or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return data if hashlib.sha256(data).digest() == digest else None


def write_entry(path: Path, data: bytes) -> None:
    """Writes a file whole or, where that is impossible, not at all."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(hashlib.sha256(data).digest() + data)


@epath.register_path_cls(_SCHEME)
class _EntryPath(os.PathLike):
    """The part of `pathlib.Path` that jax's cache uses, over checked files."""

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
        """Leaves it to `write_entry`, which may fail."""

    def exists(self) -> bool:
        """Whether there is an intact file."""
        self._data = read_entry(Path(self))
        return self._data is not None

    def read_bytes(self) -> bytes:
        """The content, as `exists` found it or, without that, as it is."""
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
