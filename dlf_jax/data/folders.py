"""Search for photos in a folder, by one rule for every command.

Photos are regular files, or links to regular files, with the extension of an image
format in upper or lower case, at any depth.  Links to folders are followed, each folder
once.  Hidden files and folders, such as the ``._`` files of macOS, and folders of
operating systems are skipped with everything below.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path, PurePath

from dlf_jax.data.formats import READABLE
from dlf_jax.errors import UserError
from dlf_jax.files import reason

# Folders of macOS zip files, Synology and QNAP servers, Windows and ext4.
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
    """`photos_in` for other extensions, given in lower case and with dots."""
    return sorted(
        path
        for path in all_files(folder, skipped=is_skipped)
        if has_extension(path.name, extensions)
    )


def has_extension(name: str, extensions: Collection[str]) -> bool:
    """True if a name has one of the extensions, in upper or lower case."""
    return PurePath(name).suffix.lower() in extensions


def is_skipped(name: str) -> bool:
    """True if a search skips files and folders of this name."""
    return name.startswith(".") or name in _OF_SYSTEMS


def all_files(folder: str | os.PathLike, skipped=lambda name: False) -> Iterator[Path]:
    """Yields the regular files below a folder; each folder is visited once.

    Args:
      folder: folder to search.
      skipped: predicate for names of files and folders to skip.

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
