"""Cache of results, keyed by a hash of everything that they depend on."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np

from dlf_jax import strict_json
from dlf_jax.errors import UserError
from dlf_jax.files import write_file
from dlf_jax.metrics.table import METRICS, restored

# Increase when old entries become wrong.
_FORMAT = "1"


@dataclasses.dataclass
class Result:
    """One image through one codec at one setting.

    Attributes:
      data: the compressed file.
      encode_s, decode_s: coding times, in seconds.
      values: metric values by name; None where a metric is undefined for this image.
    """

    data: bytes
    encode_s: float
    decode_s: float
    values: dict[str, float | None] = dataclasses.field(default_factory=dict)


def key(image: np.ndarray, codec: str, setting: str, version: str) -> str:
    """Cache key of an image's content, a codec, its setting and its version."""
    digest = hashlib.sha256()
    for part in (_FORMAT, str(image.shape), codec, setting, version):
        digest.update(part.encode() + b"\0")
    digest.update(image.tobytes())
    return digest.hexdigest()[:40]


class Cache:
    """A folder of results, two files each; a result is valid once both exist.

    Args:
      folder: created if missing.

    Raises:
      UserError: the folder cannot be created.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot create {folder}: {error.strerror}") from error

    def get(self, name: str) -> Result | None:
        """Returns the result of a key; None if missing or damaged."""
        try:
            data = (self._folder / f"{name}.bin").read_bytes()
            fields = json.loads((self._folder / f"{name}.json").read_text())
            if hashlib.sha256(data).hexdigest() != fields.pop("sha256"):
                return None
            values = restored(fields.pop("values"))
            # Former names are dropped: their metrics are measured again.
            known = {name: values[name] for name in values if name in METRICS}
            return Result(data, values=known, **fields)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def put(self, name: str, result: Result) -> None:
        """Stores a result; an interruption leaves the old result or none."""
        fields = dataclasses.asdict(result)
        data = fields.pop("data")
        fields["sha256"] = hashlib.sha256(data).hexdigest()
        write_file(self._folder / f"{name}.bin", data, overwrite=True)
        text = strict_json.dumps(fields, indent=1)
        write_file(self._folder / f"{name}.json", text.encode(), overwrite=True)
