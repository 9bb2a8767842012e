"""File input, and atomic file output: a file appears whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePath
from typing import TypeVar

from dlf_jax import interruption
from dlf_jax.errors import UserError

_AnyPath = TypeVar("_AnyPath", bound=PurePath)


def read_file(path: str | os.PathLike) -> bytes:
    """Returns the bytes of a file; every failure is a UserError."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {reason(error)}") from error


def printable(name: str | os.PathLike) -> str:
    """Returns a file name as text, with escapes such as ``\\udce9`` for other bytes."""
    return os.fspath(name).encode("utf-8", "backslashreplace").decode()


def check_output(
    path: str | os.PathLike, overwrite: bool, *, folder: bool = False
) -> None:
    """Raises UserError if writing to `path` would fail, before any work is lost.

    Args:
      path: of the output.
      overwrite: allow a file that exists, or a folder that is not empty.
      folder: the output is a folder, which need not exist, and not a file.
    """
    parent = os.path.dirname(path) or "."
    if os.path.isdir(path) and not folder:
        raise UserError(f"{path} is a folder: name a file")
    if os.path.exists(path) and not os.path.isdir(path) and folder:
        raise UserError(f"{path} is a file already: name a folder")
    if os.path.isfile(path) and not overwrite:
        raise UserError(f"{path} exists already: use --force to overwrite it")
    if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK):
        raise UserError(f"no permission to read the folder {path}: choose another one")
    if os.path.isdir(path) and os.listdir(path) and not overwrite:
        raise UserError(f"{path} is not empty: use --force to overwrite its content")
    if not os.path.isdir(parent):
        raise UserError(f"there is no folder {parent}: create it first")
    existing = os.path.isdir(path) or _is_special(path)
    if not os.access(path if existing else parent, os.W_OK):
        raise UserError(f"no permission to write {path}: choose another folder")


def write_file(path: str | os.PathLike, data: bytes, overwrite: bool = False) -> None:
    """Writes a file under a temporary name beside it and renames it when complete.

    Devices and pipes are written directly.

    Raises:
      UserError: the file exists and `overwrite` is false, or it cannot be written.
    """
    check_output(path, overwrite)
    try:
        if _is_special(path):
            Path(path).write_bytes(data)
            return
        # A link stays; its target is replaced.
        with replacing(Path(os.path.realpath(path))) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason(error)}") from error


@contextlib.contextmanager
def replacing(path: _AnyPath) -> Iterator[_AnyPath]:
    """Yields a temporary name beside `path`, which becomes `path` at the end.

    After an error or a signal, `path` is as before and the temporary file is removed.

    Args:
      path: of `pathlib`, or of `etils.epath`, such as gs://bucket/file.
    """
    temporary = path.with_name(f".dlf-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    with interruption.cleaning(partial(temporary.unlink, missing_ok=True)):
        yield temporary
        temporary.replace(path)


@contextlib.contextmanager
def new_folder(path: str | os.PathLike) -> Iterator[None]:
    """Creates a folder and its parents; of these, new ones that stay empty are removed.

    Raises:
      UserError: the folder cannot be created.
    """
    if os.path.exists(path) and not os.path.isdir(path):
        raise UserError(f"{path} is a file already: name a folder")
    folders = (Path(path), *Path(path).parents)  # the deepest first
    new = [folder for folder in folders if not os.path.exists(folder)]

    def clean() -> None:
        for folder in new:
            remove_if_empty(folder)

    with interruption.cleaning(clean):
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"cannot create the folder {path}: {reason(error)}"
            ) from error
        yield


def remove_if_empty(folder: str | os.PathLike) -> None:
    """Removes a folder, unless it holds files."""
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def is_temporary(name: str) -> bool:
    """Returns whether a name is a temporary one of `replacing`."""
    return name.startswith(".dlf-") and name.endswith(".tmp")


def _is_special(path: str | os.PathLike) -> bool:
    return os.path.exists(path) and not os.path.isfile(path)


def reason(error: Exception) -> str:
    """Returns the cause of an error as one line, without the name of the file."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
