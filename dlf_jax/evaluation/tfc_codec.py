"""Baselines of TensorFlow Compression, run by the Python of another environment.

`requirements-tfc.txt` pins the environment.  The variable DLF_TFC_PYTHON names its
Python, by default ``.venv-tfc/bin/python``.  The package includes weights;
`tfc/train.py` trains others.
"""

import atexit
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from dlf_jax import strict_json
from dlf_jax.errors import UserError

_FOLDER = Path(__file__).parent / "tfc"
_VARIABLE = "DLF_TFC_PYTHON"
_DEFAULT_PYTHON = ".venv-tfc/bin/python"


class TFCCodec:
    """`ImageCodec` of a TensorFlow Compression model.

    Args:
      name: name in the results.
      weights: weight file of every setting, lowest rate first.

    Raises:
      UserError: the environment is missing.
    """

    def __init__(self, name: str, weights: dict[str, Path]):
        self._name = name
        self._weights = list(weights.values())
        self._python = _python(name)
        self._process: subprocess.Popen | None = None
        self.settings = tuple(weights)
        digest = hashlib.sha256()
        for path in (*self._weights, *sorted(_FOLDER.glob("*.py"))):
            digest.update(path.read_bytes())
        self.version = digest.hexdigest()

    def compress(self, image: np.ndarray, setting: str) -> bytes:
        """See `ImageCodec`; the first byte of the file is the rate."""
        height, width, _ = image.shape
        rate = self.settings.index(setting)
        _, data = self._ask(
            image.tobytes(), do="compress", rate=rate, height=height, width=width
        )
        return bytes([rate]) + data

    def decompress(self, data: bytes) -> np.ndarray:
        """See `ImageCodec`."""
        answer, pixels = self._ask(data[1:], do="decompress", rate=data[0])
        shape = (answer["height"], answer["width"], 3)
        return np.frombuffer(pixels, np.uint8).reshape(shape)

    def _ask(self, data: bytes, **request: Any) -> tuple[dict, bytes]:
        process = self._process = self._process or self._start()
        try:
            line = strict_json.dumps({"bytes": len(data), **request})
            process.stdin.write(line.encode() + b"\n" + data)
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
        except (OSError, ValueError) as error:
            raise UserError(
                f"{self._name} stopped: install requirements-tfc.txt for {self._python}"
            ) from error
        if "error" in answer:
            reason = " ".join(answer["error"].split())
            raise UserError(f"{self._name} failed: {reason}")
        return answer, process.stdout.read(answer["bytes"])

    def _start(self) -> subprocess.Popen:
        process = subprocess.Popen(
            [self._python, _FOLDER / "serve.py", *self._weights],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        atexit.register(process.kill)
        return process


def open_codec(model: str) -> TFCCodec:
    """Opens the codec of a baseline.

    Args:
      model: bls2017, bmshj2018 or bmshj2018-factorized for the included weights, or
        FOLDER/NAME for FOLDER/NAME-0.npz, FOLDER/NAME-1.npz and so on.

    Raises:
      UserError: the weights or the environment are missing.
    """
    path = Path(model) if "/" in model else _FOLDER / "weights" / model
    weights = sorted(path.parent.glob(f"{path.name}-[0-9].npz"))
    if not weights:
        raise UserError(
            f"no weights {path}-0.npz: train them with {_FOLDER / 'train.py'}"
        )
    return TFCCodec(f"tfc:{model}", {str(i): file for i, file in enumerate(weights)})


def _python(name: str) -> str:
    """Path of the Python with TensorFlow Compression."""
    python = os.environ.get(_VARIABLE, _DEFAULT_PYTHON)
    if not Path(python).is_file():
        raise UserError(
            f"{name} needs TensorFlow Compression in a separate environment, "
            f"but {python} does not exist: python3.11 -m venv .venv-tfc && "
            ".venv-tfc/bin/pip install -r requirements-tfc.txt, or set "
            f"{_VARIABLE} to another Python"
        )
    return python
