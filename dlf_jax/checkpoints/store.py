"""Model directories: configuration, weights as safetensors, where they came from.

A directory holds ``config.json`` (name, sizes, metadata), ``model.safetensors`` and,
for published models, ``MODEL_CARD.md``.  Nothing in it can run code.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax import traverse_util
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from dlf_jax.errors import UserError
from dlf_jax.models.config import DLFConfig

BUNDLED = Path(__file__).parents[1] / "weights"

# Training targets only: no part of a model directory (spec §19).
TRAINING_ONLY = ("vqgan/encoder/", "vqgan/quant_conv/", "discriminator/")


@dataclasses.dataclass(frozen=True)
class LoadedModel:
    """A model directory in memory.

    Attributes:
      name: what the file header and the command line call it.
      config: sizes of the network.
      params: parameter tree of `DLF`, float32, without the training-only parts.
      fingerprint: SHA-256 over sizes and stored weights; equal exactly when two
        directories decode the same bytes to the same picture.
      metadata: JSON values about the origin.
    """

    name: str
    config: DLFConfig
    params: Mapping[str, Any]
    fingerprint: bytes
    metadata: Mapping[str, Any]


def save_model(
    directory: Path | str,
    *,
    name: str,
    config: DLFConfig,
    params: Mapping[str, Any],
    dtype: np.dtype | type = np.float16,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Writes a model directory, without the training-only parameters.

    Args:
      directory: created if needed; files of an earlier model in it are replaced.
      name: lower-case name of the model.
      config: sizes of the network.
      params: parameter tree of `DLF`.
      dtype: floating-point type of the stored weights.
      metadata: JSON values about the origin.

    Raises:
      ValueError: if a weight is not representable in `dtype` (−inf of a mask is).
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {
        path: np.asarray(value)
        for path, value in traverse_util.flatten_dict(params, sep="/").items()
        if not path.startswith(TRAINING_ONLY)
    }
    for path, value in arrays.items():
        with np.errstate(over="ignore"):
            # safetensors takes the bytes as they lie in memory.
            arrays[path] = value.astype(dtype, order="C")
        if not np.array_equal(np.isfinite(value), np.isfinite(arrays[path])):
            raise ValueError(f"{path} does not fit {np.dtype(dtype).name}")
    description = {
        "name": name,
        "config": config.to_dict(),
        "metadata": dict(metadata or {}),
    }
    save_file(arrays, directory / "model.safetensors")
    text = json.dumps(description, indent=2) + "\n"
    (directory / "config.json").write_text(text, encoding="utf-8")


def load_model(name_or_dir: Path | str) -> LoadedModel:
    """Reads a bundled model by name, or a model directory.

    Raises:
      UserError: if there is no such model, or its files are damaged.
    """
    directory = BUNDLED / str(name_or_dir)
    if str(name_or_dir) not in bundled_models():
        directory = Path(name_or_dir)
        if not (directory / "config.json").is_file():
            names = ", ".join(bundled_models()) or "none"
            raise UserError(
                f"no model {str(name_or_dir)!r}: neither a model directory nor "
                f"one of the bundled models ({names})"
            )
    try:
        description = json.loads((directory / "config.json").read_text("utf-8"))
        config = DLFConfig.from_dict(description["config"])
        arrays = load_file(directory / "model.safetensors")
        name = description["name"]
        metadata = description["metadata"]
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"model directory {directory} is damaged: {reason}") from error
    params = {path: value.astype(np.float32) for path, value in arrays.items()}
    return LoadedModel(
        name=name,
        config=config,
        params=traverse_util.unflatten_dict(params, sep="/"),
        fingerprint=_fingerprint(config, arrays),
        metadata=metadata,
    )


def bundled_models() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(path.parent.name for path in BUNDLED.glob("*/config.json"))


def _fingerprint(config: DLFConfig, arrays: Mapping[str, np.ndarray]) -> bytes:
    digest = hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True).encode())
    for path in sorted(arrays):
        value = np.ascontiguousarray(arrays[path])
        digest.update(f"{path} {value.dtype.str} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.digest()
