"""Reading files, and writing files that appear whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dlf_jax import interruption
from dlf_jax.errors import UserError


def read_file(path: str | os.PathLike) -> bytes:
    """Bytes of a file; any failure is a UserError."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {reason(error)}") from error


def printable(name: str | os.PathLike) -> str:
    """A file name as text: bytes that are not UTF-8 as escapes such as ``\\udce9``."""
    return os.fspath(name).encode("utf-8", "backslashreplace").decode()


def check_output(path: str | os.PathLike, overwrite: bool) -> None:
    """Raises UserError if `write_file` would refuse, so that no work is lost."""
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder: name a file")
    if os.path.isfile(path) and not overwrite:
        raise UserError(f"{path} exists already: use --force to overwrite it")
    if not os.path.isdir(folder):
        raise UserError(f"there is no folder {folder}")
    if not os.access(path if _is_special(path) else folder, os.W_OK):
        raise UserError(f"no permission to write {path}")


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
        path = Path(os.path.realpath(path))  # a link stays, its target is replaced
        with temporary_beside(path) as temporary:
            with temporary.open("xb") as stream:
                stream.write(data)
            os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason(error)}") from error


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A new name for a file that becomes `path` when it is complete, and else goes."""
    temporary = path.with_name(f".dlf-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    with interruption.cleaning(partial(temporary.unlink, missing_ok=True)):
        yield temporary


def is_temporary(name: str) -> bool:
    """Whether a file has a name of `temporary_beside`."""
    return name.startswith(".dlf-") and name.endswith(".tmp")


def _is_special(path: str | os.PathLike) -> bool:
    return os.path.exists(path) and not os.path.isfile(path)


def reason(error: Exception) -> str:
    """One line that says what went wrong, without the name of the file."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
