"""Codecs by model name, by model directory, or by the file to decode."""

import functools
from pathlib import Path

from dlf_jax.checkpoints.directory import CONFIG_FILE, bundled_models, model_directory
from dlf_jax.checkpoints.store import load_model, stored_fingerprint
from dlf_jax.codec.codec import Codec
from dlf_jax.codec.container import ParsedFile
from dlf_jax.codec.format import MODEL_ID_BYTES
from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS, Limits


def load(name_or_dir: str, limits: Limits = DEFAULT_LIMITS) -> Codec:
    """The codec of a bundled model or a model directory, cached until its files change.

    Raises:
      UserError: there is no such model, or its files are damaged.
    """
    directory = model_directory(name_or_dir).resolve()
    # Models are replaced file by file, never in place, and this file comes last.
    written = (directory / CONFIG_FILE).stat()
    return _read(directory, (written.st_ino, written.st_mtime_ns), limits)


@functools.lru_cache(maxsize=4)
def _read(directory: Path, version: tuple[int, int], limits: Limits) -> Codec:
    return Codec(load_model(directory), limits)


def load_for(file: ParsedFile, limits: Limits = DEFAULT_LIMITS) -> Codec:
    """The codec of the bundled model that wrote a file.

    Raises:
      UserError: no bundled model wrote the file.
    """
    wanted = file.header.model_id
    for name in bundled_models():
        # Loading checks this fingerprint against the weights.
        if stored_fingerprint(name)[:MODEL_ID_BYTES] == wanted:
            return load(name, limits)
    raise UserError(
        f"the file needs model {wanted.hex()}, which does not come with this version: "
        "see `dlf models`, or name its folder as the model"
    )
