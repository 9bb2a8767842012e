"""Which model a name, a folder or a file means."""

import functools
from pathlib import Path

from dlf_jax.checkpoints.store import bundled_models, load_model
from dlf_jax.codec.codec import Codec
from dlf_jax.codec.container import Header
from dlf_jax.errors import UserError

DEFAULT_MODEL = "dlf-nano"


@functools.lru_cache(maxsize=4)
def load(name_or_dir: str | Path = DEFAULT_MODEL) -> Codec:
    """The codec of a bundled model or a model directory, read once.

    Raises:
      UserError: there is no such model, or its files are damaged.
    """
    return Codec(load_model(name_or_dir))


def load_for(header: Header) -> Codec:
    """The codec of the bundled model that wrote a file.

    Raises:
      UserError: no bundled model did.
    """
    for name in bundled_models():
        codec = load(name)
        if codec.model_id == header.model_id:
            return codec
    raise UserError(
        f"the file needs model {header.model_id.hex()}, which does not come with this "
        "version: see `dlf models`, or name its folder with --model"
    )
