"""Which model a name, a folder or a file means."""

import functools
from pathlib import Path

from dlf_jax.checkpoints.store import (
    CONFIG_FILE,
    bundled_models,
    load_model,
    model_directory,
)
from dlf_jax.codec.codec import Codec
from dlf_jax.codec.info import file_info
from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS, Limits


def load(name_or_dir: str, limits: Limits = DEFAULT_LIMITS) -> Codec:
    """The codec of a bundled model or a model directory, read once unless it changes.

    Raises:
      UserError: there is no such model, or its files are damaged.
    """
    directory = model_directory(name_or_dir).resolve()
    # Files of models are replaced and never written into, this one last.
    written = (directory / CONFIG_FILE).stat()
    return _read(directory, (written.st_ino, written.st_mtime_ns), limits)


@functools.lru_cache(maxsize=4)
def _read(directory: Path, version: tuple[int, int], limits: Limits) -> Codec:
    return Codec(load_model(directory), limits)


def load_for(
    data: bytes, limits: Limits = DEFAULT_LIMITS, *, damaged: bool = False
) -> Codec:
    """The codec of the bundled model that wrote a file.

    Raises:
      UserError: the file is damaged, unless that is expected, or no bundled model wrote
        it.
    """
    wanted = file_info(data, damaged=damaged).model_id
    for name in bundled_models():
        codec = load(name, limits)
        if codec.model_id.hex() == wanted:
            return codec
    raise UserError(
        f"the file needs model {wanted}, which does not come with this version: see "
        "`dlf models`, or name its folder as the model"
    )
