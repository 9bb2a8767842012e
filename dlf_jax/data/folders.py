"""Photos in a folder, by one rule for every command.

Taken are the regular files, and links to such, whose names end like those of image
files in either case, in the folder itself and in all below; links to folders are
followed, each folder once.  Left out, with all that is below, are names that begin with
a dot, such as the ``._`` files of macOS, and folders that systems keep for themselves.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path, PurePath

from dlf_jax.data.formats import READABLE
from dlf_jax.errors import UserError
from dlf_jax.files import reason

# Of zip files made by macOS, of Synology and QNAP servers, Windows and ext4.
_OF_SYSTEMS = frozenset(
    ("__MACOSX", "@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "lost+found")
)


def photos_in(folder: str | os.PathLike) -> list[Path]:
    """Paths of the photos in a folder, sorted by their parts.

    Raises:
      UserError: a folder cannot be listed.
    """
    return files_in(folder, READABLE)


def files_in(folder: str | os.PathLike, extensions: Collection[str]) -> list[Path]:
    """`photos_in`, with other extensions: in lower case, with their dots."""
    return sorted(
        path
        for path in all_files(folder, skipped=is_skipped)
        if has_extension(path.name, extensions)
    )


def has_extension(name: str, extensions: Collection[str]) -> bool:
    """Whether a name ends like those of some kind, in either case."""
    return PurePath(name).suffix.lower() in extensions


def is_skipped(name: str) -> bool:
    """Whether a file or folder of this name is left out, unless it is asked for."""
    return name.startswith(".") or name in _OF_SYSTEMS


def all_files(folder: str | os.PathLike, skipped=lambda name: False) -> Iterator[Path]:
    """Regular files below a folder; what several links lead to comes once.

    Args:
      folder: where to look.
      skipped: tells names of files and folders to leave out.

    Raises:
      UserError: a folder cannot be listed.
    """
    entered = {os.path.realpath(folder)}
    for parent, folders, files in os.walk(folder, onerror=_stop, followlinks=True):
        paths = (Path(parent, name) for name in files if not skipped(name))
        yield from (path for path in paths if path.is_file())
        below = []
        for name in sorted(folders):
            place = os.path.realpath(os.path.join(parent, name))
            if not skipped(name) and place not in entered:
                below.append(name)
                entered.add(place)
        folders[:] = below


def _stop(error: OSError) -> None:
    raise UserError(f"cannot list {error.filename}: {reason(error)}") from error
