"""Files of a bulk job on any file system of Beam: names, reading, atomic writing."""

import concurrent.futures
import contextlib
import os
import re
import secrets
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from apache_beam.io.filesystem import CompressionTypes, FileSystem
from apache_beam.io.filesystems import FileSystems

from dlf_jax.data import folders
from dlf_jax.errors import UserError
from dlf_jax.files import is_temporary, write_file

_WILDCARD = re.compile(r"[*?\[]")
_RAW = CompressionTypes.UNCOMPRESSED
_READERS = 32


def matches(pattern: str, extensions: Collection[str]) -> list[str]:
    """Returns the input files that a user names, sorted.

    Args:
      pattern: of Beam, such as ``gs://bucket/photos/**.png``; or a file; or a folder,
        for its files with `extensions`, at any depth.  What exists is no pattern, also
        in front: ``photos[1]/*.png`` looks into a folder called ``photos[1]``.
        Wildcards pass over what `dlf_jax.data.folders` leaves out.
      extensions: as of `dlf_jax.data.folders.files_in`.

    Raises:
      UserError: there are none, or the file system is not available.
    """
    folder, rest = _split(pattern)
    if not _is_local(pattern):
        found = listed(pattern)
        if not found and not has_wildcards(pattern):
            found = listed(f"{pattern.rstrip('/')}/**")
            found = [p for p in found if folders.has_extension(p, extensions)]
    elif not rest:
        found = folders.files_in(folder, extensions)
        found = [f"{folder}{path.relative_to(folder)}" for path in found]
    else:
        found = _local(folder, rest)
    asked = "/." in f"/{rest}"
    found = sorted(p for p in found if asked or not _is_skipped(relative(p, pattern)))
    if not found:
        raise UserError(f"there are no files {pattern}")
    return found


def listed(pattern: str) -> list[str]:
    """Returns all files that match a pattern, sorted, or an empty list."""
    if _is_local(pattern):
        return sorted(_local(*_split(pattern)))
    with _user_errors(f"cannot look for {pattern}"):
        (found,) = FileSystems.match([pattern])
    return sorted(file.path for file in found.metadata_list)


def exists(path: str) -> bool:
    """Returns whether a file exists.

    Raises:
      UserError: the file system is not available.
    """
    with _user_errors(f"cannot look for {path}"):
        return FileSystems.exists(path)


def has_wildcards(path: str) -> bool:
    """Returns whether a remote file system would read a path as a pattern."""
    return not _is_local(path) and _WILDCARD.search(path) is not None


def relative(path: str, pattern: str) -> str:
    """Returns the part of a match below the folder in front of the first wildcard.

    Raises:
      ValueError: `path` is not below this folder.
    """
    folder, _ = _split(pattern)
    if not path.startswith(folder):
        raise ValueError(f"{path} is not in {folder}")
    return path[len(folder) :]


def _is_local(path: str) -> bool:
    return "://" not in path


def _split(pattern: str) -> tuple[str, str]:
    """The folder that matches are below, with its slash, and the rest of a pattern."""
    folder, rest = "", pattern
    if _is_local(pattern):
        if os.path.isfile(pattern):
            return pattern[: pattern.rfind("/") + 1], pattern[pattern.rfind("/") + 1 :]
        if os.path.isdir(pattern):
            return os.path.join(pattern, ""), ""
        while "/" in rest:
            first, _, others = rest.partition("/")
            if not os.path.isdir(f"{folder}{first}/"):
                break
            folder, rest = f"{folder}{first}/", others
    wildcard = _WILDCARD.search(rest)
    fixed = rest[: wildcard.start()] if wildcard else rest
    end = fixed.rfind("/") + 1
    return folder + rest[:end], rest[end:]


def _local(folder: str, rest: str) -> Iterator[str]:
    """Files below a folder of this machine that the rest of a pattern means."""
    if os.path.isfile(f"{folder}{rest}"):
        yield f"{folder}{rest}"
        return
    if not os.path.isdir(folder or "."):
        return
    # Beam's wildcards do not match a backslash, which is allowed in names here.
    wanted = re.compile(FileSystem.translate_pattern(rest).replace(r"[^/\\]", "[^/]"))
    for path in folders.all_files(folder or "."):
        name = path.relative_to(folder).as_posix()
        if wanted.match(name):
            yield f"{folder}{name}"


def _is_skipped(name: str) -> bool:
    return any(map(folders.is_skipped, name.split("/")))


def absolute(path: str) -> str:
    """Returns a local path from the root; remote paths are returned as they are."""
    return os.path.abspath(path) if _is_local(path) else path


def read(path: str, start: int = 0, length: int = -1) -> bytes:
    """Returns the bytes of a file or of a part of the file, never decompressed.

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
    """Yields the bytes of many files, in order, read in parallel for object stores.

    Raises:
      UserError: as of `read`.
    """
    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(read, paths)


def delete(paths: Sequence[str]) -> None:
    """Deletes files.

    Raises:
      UserError: one cannot be removed.
    """
    for path in filter(_is_local, paths):  # Beam would take it for a pattern
        Path(path).unlink(missing_ok=True)
    if remote := [path for path in paths if not _is_local(path)]:
        with _user_errors(f"cannot delete {remote[0]}"):
            FileSystems.delete(remote)


def write(path: str, data: bytes) -> None:
    """Writes a file atomically and creates the folder of the file.

    Raises:
      UserError: it cannot be written.
    """
    if _is_local(path):
        with _user_errors(f"cannot write {path}"):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        write_file(path, data, overwrite=True)
        return
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


def unfinished(folder: str) -> list[str]:
    """Returns leftovers of interrupted writes in a local folder."""
    if not _is_local(folder):
        return []
    paths = folders.all_files(folder)
    return [os.fspath(path) for path in paths if is_temporary(path.name)]


@contextlib.contextmanager
def _user_errors(what: str) -> Iterator[None]:
    """Turns errors of file systems into UserError."""
    try:
        yield
    except Exception as error:  # every file system raises kinds of its own
        raise UserError(f"{what}: {error}") from error


def _make_folder(folder: str) -> None:
    """Makes a folder; another worker may be first, and buckets have no folders."""
    try:
        FileSystems.mkdirs(folder)
    except OSError:
        if not FileSystems.exists(folder):
            raise
