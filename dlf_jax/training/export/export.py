"""Export of a checkpoint as a model directory."""

from pathlib import Path
from typing import Any

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
from dlf_jax.models.variants import VARIANTS
from dlf_jax.training.export.token_statistics import count_tokens
from dlf_jax.training.run.checkpointing import (
    averaged,
    load_state,
    read_config,
)
from dlf_jax.training.settings.resuming import restored
from dlf_jax.training.settings.table import check_values
from dlf_jax.training.stages.table import STAGES

# The others make no whole codec.
_JOINT_OBJECTIVES = ("align", "fit_context", "reconstruct")

# Settings of a run that the model, and the tokens to be counted, follow from.
_OF_MODEL = ("stage", "model")
_OF_CROPS = (
    *("data", "max_undecodable", "seed"),
    *("crop.size", "crop.min_scale", "crop.flip"),
)

# Crops that tokens are counted on in one call of the network.
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
    """Writes a checkpoint of a joint stage as a model directory.

    Args:
      workdir: of a training run, absolute or a URL.
      directory: receives the model; only what inference needs goes in, taken from the
        moving average of the weights if there is one.
      dtype: of the stored weights, see `dlf_jax.checkpoints.store.as_stored`.
      best: the checkpoint with the lowest validation loss, under the λ of its time,
        not the newest.
      token_crops: crops of the run's training photos on which tokens are counted, so
        that frequent ones are coded with fewer bits; with 0 all get the same.
      overwrite: allow a directory that is not empty.

    Returns:
      Step of the checkpoint.

    Raises:
      UserError: `workdir` is no run of a joint stage, or has no checkpoint; its
        settings make no sense; its photos are not where they were; or `directory`
        cannot be written.
    """
    check_output(directory, overwrite, folder=True)
    config = restored(read_config(workdir))
    settings = config.to_dict()
    check_values(settings, _OF_MODEL + (_OF_CROPS if token_crops else ()))
    if STAGES[config["stage"]].objective not in _JOINT_OBJECTIVES:
        raise UserError(
            f"{workdir} holds stage {config['stage']!r}, which makes no whole codec"
        )
    state, step = load_state(workdir, best=best)
    keys = ("stage", "batch_size", "crop", "loss", "lmbda", "optimizer", "seed")
    training = {key: settings[key] for key in keys if key in settings}
    params = averaged(state)
    save_model(
        directory,
        name=config.model,
        config=VARIANTS[config.model],
        params=params,
        dtype=np.dtype(dtype),
        token_frequencies=_token_frequencies(params, config, token_crops),
        metadata={"step": step, "training": training},
    )
    return step


def _token_frequencies(
    params: Any, config: ml_collections.ConfigDict, num_crops: int
) -> np.ndarray | None:
    """Of the tokens at every position, by the photos and crops of the run."""
    if not num_crops:
        return None
    source = open_source(config.data)
    kept, _ = split_holdout(source)
    photos = Photos(source, kept, max_undecodable=config.max_undecodable)
    crops = CropConfig(**config.crop)
    batches = train_batches(photos, crops, batch_size=_BATCH, seed=config.seed)
    num_batches = -(-num_crops // _BATCH)
    model = VARIANTS[config.model]
    return fit_frequencies(count_tokens(params, model, batches, num_batches))
