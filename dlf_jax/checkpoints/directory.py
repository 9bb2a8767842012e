"""Places and names of model directories, and errors about damaged ones."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from dlf_jax.errors import UserError

BUNDLED = Path(__file__).parents[1] / "weights"

CONFIG_FILE = "config.json"
MODEL_FILE = "model.safetensors"
TRAINING_FILE = "training.safetensors"


def bundled_models() -> list[str]:
    """Names of the models in the package."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CONFIG_FILE}"))


def model_directory(name_or_dir: Path | str) -> Path:
    """The folder of a bundled model, or a folder as it is.

    Raises:
      UserError: the folder holds no model.
    """
    if str(name_or_dir) in bundled_models():
        return BUNDLED / str(name_or_dir)
    directory = Path(name_or_dir)
    if not (directory / CONFIG_FILE).is_file():
        names = ", ".join(bundled_models()) or "none"
        raise UserError(
            f"no model {str(name_or_dir)!r}: neither a model directory nor "
            f"one of the bundled models ({names})"
        )
    return directory


def is_directory_of_weights(path: Path) -> bool:
    """Returns True for a model or a part of a model, False for a training run."""
    return any((path / file).is_file() for file in (MODEL_FILE, TRAINING_FILE))


def read_description(directory: Path) -> dict[str, Any]:
    """Returns the JSON values of `CONFIG_FILE`."""
    return json.loads((directory / CONFIG_FILE).read_text("utf-8"))


@contextlib.contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Turns the exceptions that damaged files cause into a UserError."""
    try:
        yield
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        SafetensorError,
    ) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"model directory {directory} is damaged: {reason}; copy it again"
        ) from error
