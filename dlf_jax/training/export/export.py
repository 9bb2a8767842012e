"""Export of a checkpoint as a model directory."""

from pathlib import Path

import ml_collections
import numpy as np
from etils import epath

from dlf_jax.checkpoints.store import save_model
from dlf_jax.data.crops import CropConfig
from dlf_jax.data.photos import Photos, split_holdout
from dlf_jax.data.pipeline import train_batches
from dlf_jax.data.sources import open_source
from dlf_jax.entropy_coding.token_tables import fit_frequencies
from dlf_jax.errors import UserError
from dlf_jax.files import check_output
from dlf_jax.models.config import DLFConfig
from dlf_jax.training.export.token_statistics import count_tokens
from dlf_jax.training.run.checkpointing import (
    averaged,
    load_state,
    read_config,
)
from dlf_jax.training.settings.resuming import restored
from dlf_jax.training.settings.sizes import SIZES, model_config, model_name
from dlf_jax.training.settings.table import check_values
from dlf_jax.training.stages.table import STAGES
from dlf_jax.typing import Params

# Settings of a run that decide on the model, and on the tokens to be counted.
_OF_MODEL = ("stage", *SIZES)
_OF_CROPS = (
    *("data", "max_undecodable", "seed"),
    *("crop.size", "crop.min_scale", "crop.flip"),
)

# Crops in one call of the network, to count tokens.
_BATCH = 16


def export(
    workdir: epath.Path,
    directory: Path,
    *,
    dtype: str = "int8",
    best: bool = False,
    token_crops: int = 0,
    overwrite: bool = False,
) -> int:
    """Writes a checkpoint of a stage of the joint codec as a model directory.

    Args:
      workdir: working directory of a training run, absolute or a URL.
      directory: receives the parameters that inference needs, of the moving average of
        the weights if there is one.
      dtype: type of the stored weights, see `dlf_jax.checkpoints.store.as_stored`.
      best: export the checkpoint with the lowest validation loss, at the λ of its time,
        instead of the newest.
      token_crops: number of crops of the run's training photos on which tokens are
        counted, so that frequent ones are coded with fewer bits; with 0, all tokens
        have the same length.
      overwrite: allow a directory that is not empty.

    Returns:
      Step of the checkpoint.

    Raises:
      UserError: `workdir` is no run of a stage that makes a codec, or has no
        checkpoint; its settings are out of range; its photos are missing; or
        `directory` cannot be written.
    """
    check_output(directory, overwrite, folder=True)
    config = restored(read_config(workdir))
    settings = config.to_dict()
    check_values(settings, _OF_MODEL + (_OF_CROPS if token_crops else ()))
    if not STAGES[config.stage].task.makes_codec:
        raise UserError(
            f"{workdir} is a run of stage {config.stage!r}, which makes no whole codec"
        )
    sizes = settings["model"]
    model = model_config(sizes)
    state, step = load_state(workdir, best=best)
    keys = ("stage", "batch_size", "crop", "loss", "lmbda", "optimizer", "seed")
    training = {key: settings[key] for key in keys if key in settings}
    params = averaged(state)
    save_model(
        directory,
        name=model_name(sizes),
        config=model,
        params=params,
        dtype=np.dtype(dtype),
        token_frequencies=_token_frequencies(params, model, config, token_crops),
        metadata={"step": step, "training": training},
    )
    return step


def _token_frequencies(
    params: Params, model: DLFConfig, config: ml_collections.ConfigDict, num_crops: int
) -> np.ndarray | None:
    """Frequencies of tokens at every position, from training crops of the run."""
    if not num_crops:
        return None
    source = open_source(config.data)
    kept, _ = split_holdout(source)
    photos = Photos(source, kept, max_undecodable=config.max_undecodable)
    crops = CropConfig(**config.crop)
    batches = train_batches(photos, crops, batch_size=_BATCH, seed=config.seed)
    num_batches = -(-num_crops // _BATCH)
    return fit_frequencies(count_tokens(params, model, batches, num_batches))
