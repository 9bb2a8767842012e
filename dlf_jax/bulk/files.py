"""Files of a bulk job, on any of Beam's file systems: names, and whole outputs only."""

import concurrent.futures
import contextlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from dlf_jax.errors import UserError

_WILDCARD = re.compile(r"[*?\[]")
_RAW = CompressionTypes.UNCOMPRESSED
_READERS = 32


def matches(pattern: str) -> list[str]:
    """Files that a pattern such as ``gs://bucket/photos/**.png`` means, sorted.

    Raises:
      UserError: there are none, or the file system is not there.
    """
    found = listed(pattern)
    if not found:
        raise UserError(f"there are no files {pattern}")
    return found


def listed(pattern: str) -> list[str]:
    """`matches` of what need not be there."""
    with _user_errors(f"cannot look for {pattern}"):
        (found,) = FileSystems.match([pattern])
    return sorted(file.path for file in found.metadata_list)


def has_wildcards(path: str) -> bool:
    """Whether a file system takes a path for a pattern."""
    return _WILDCARD.search(path) is not None


def relative(path: str, pattern: str) -> str:
    """What a match adds to the folder in front of the first wildcard.

    Raises:
      ValueError: `path` is not below this folder.
    """
    first = _WILDCARD.search(pattern)
    fixed = pattern[: first.start()] if first else pattern
    folder = fixed[: fixed.rfind("/") + 1]
    if not path.startswith(folder):
        raise ValueError(f"{path} is not in {folder}")
    return path[len(folder) :]


def absolute(path: str) -> str:
    """A local path from the root; others are that already."""
    return path if "://" in path else os.path.abspath(path)


def read(path: str, start: int = 0, length: int = -1) -> bytes:
    """Bytes of a file or of a part of it, as they are on disk.

    Raises:
      UserError: it cannot be read.
    """
    with (
        _user_errors(f"cannot read {path}"),
        FileSystems.open(path, compression_type=_RAW) as stream,
    ):
        if start:
            stream.seek(start)
        return stream.read(length)


def read_all(paths: Sequence[str]) -> Iterator[bytes]:
    """Bytes of many files, in order; object stores are slow, but not one at a time.

    Raises:
      UserError: as of `read`.
    """
    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(read, paths)


def delete(paths: Sequence[str]) -> None:
    """Removes files.

    Raises:
      UserError: one cannot be removed.
    """
    if paths:
        with _user_errors(f"cannot delete {paths[0]}"):
            FileSystems.delete(paths)


def write(path: str, data: bytes) -> None:
    """Writes a file that appears whole or not at all; its folder is made.

    Raises:
      UserError: it cannot be written.
    """
    folder = path[: path.rfind("/")]
    temporary = f"{path}.{secrets.token_hex(4)}.tmp"
    with _user_errors(f"cannot write {path}"):
        if not FileSystems.exists(folder):
            _make_folder(folder)
        try:
            with FileSystems.create(temporary, compression_type=_RAW) as stream:
                stream.write(data)
            FileSystems.rename([temporary], [path])
        finally:
            if FileSystems.exists(temporary):
                FileSystems.delete([temporary])


@contextlib.contextmanager
def _user_errors(what: str) -> Iterator[None]:
    """Turns errors of file systems into ours."""
    try:
        yield
    except Exception as error:  # every file system raises kinds of its own
        raise UserError(f"{what}: {error}") from error


def _make_folder(folder: str) -> None:
    """Another worker may be first; buckets have no folders."""
    try:
        FileSystems.mkdirs(folder)
    except OSError:
        if not FileSystems.exists(folder):
            raise
