"""Results that are kept, under the hash of all that they depend on."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np

from dlf_jax import strict_json
from dlf_jax.errors import UserError
from dlf_jax.files import write_file
from dlf_jax.metrics.table import restored

# Changes with whatever makes old entries wrong.
_FORMAT = "1"


@dataclasses.dataclass
class Result:
    """One image through one codec at one setting.

    Attributes:
      data: the file.
      encode_s, decode_s: seconds that coding took.
      values: of metrics, by name; None where a metric has none for this image.
    """

    data: bytes
    encode_s: float
    decode_s: float
    values: dict[str, float | None] = dataclasses.field(default_factory=dict)


def key(image: np.ndarray, codec: str, setting: str, version: str) -> str:
    """Names the result of an image: content, codec, setting and version count."""
    digest = hashlib.sha256()
    for part in (_FORMAT, str(image.shape), codec, setting, version):
        digest.update(part.encode() + b"\0")
    digest.update(image.tobytes())
    return digest.hexdigest()[:40]


class Cache:
    """A folder of results; each is two files, and counts when the second is there.

    Args:
      folder: made if it is not there.

    Raises:
      UserError: it cannot be made.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot make {folder}: {error.strerror}") from error

    def get(self, name: str) -> Result | None:
        """The result under a key; None if there is none, or it is damaged."""
        try:
            data = (self._folder / f"{name}.bin").read_bytes()
            fields = json.loads((self._folder / f"{name}.json").read_text())
            if hashlib.sha256(data).hexdigest() != fields.pop("sha256"):
                return None
            fields["values"] = restored(fields["values"])
            return Result(data, **fields)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def put(self, name: str, result: Result) -> None:
        """Keeps a result; an interruption leaves the old one or none."""
        fields = dataclasses.asdict(result)
        data = fields.pop("data")
        fields["sha256"] = hashlib.sha256(data).hexdigest()
        write_file(self._folder / f"{name}.bin", data, overwrite=True)
        text = strict_json.dumps(fields, indent=1)
        write_file(self._folder / f"{name}.json", text.encode(), overwrite=True)
