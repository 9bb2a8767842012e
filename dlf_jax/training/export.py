"""Checkpoint to model: ``python -m dlf_jax.training.export WORKDIR DIRECTORY``."""

import sys
from pathlib import Path

import click
import numpy as np

from dlf_jax.checkpoints.store import save_model
from dlf_jax.errors import UserError
from dlf_jax.models.variants import VARIANTS
from dlf_jax.training.checkpointing import load_params, read_config

_JOINT_STAGES = ("align", "pixel")


def export(workdir: Path, directory: Path, *, dtype: str = "int8") -> int:
    """Writes the newest checkpoint of a joint stage as a model directory.

    Args:
      workdir: of a training run.
      directory: receives the model; only what inference needs goes in, taken from the
        moving average of the weights if there is one.
      dtype: of the stored weights, see `dlf_jax.checkpoints.store.as_stored`.

    Returns:
      Step of the checkpoint.

    Raises:
      UserError: `workdir` is no run of a joint stage, or has no checkpoint.
    """
    config = read_config(workdir)
    if config["stage"] not in _JOINT_STAGES:
        raise UserError(
            f"{workdir} holds stage {config['stage']!r}; only "
            f"{' and '.join(_JOINT_STAGES)} make a whole codec"
        )
    params, step = load_params(workdir)
    keys = ("stage", "batch_size", "crop", "loss", "lmbda", "optimizer", "seed")
    save_model(
        directory,
        name=config["model"],
        config=VARIANTS[config["model"]],
        params=params,
        dtype=np.dtype(dtype),
        metadata={"step": step, "training": {key: config[key] for key in keys}},
    )
    return step


@click.command()
@click.argument("workdir", type=click.Path(path_type=Path))
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--dtype",
    default="int8",
    help="Type of the stored weights; int8 is that of large kernels alone.",
)
def main(workdir: Path, directory: Path, dtype: str) -> None:
    """Writes the newest checkpoint in WORKDIR as a model into DIRECTORY."""
    try:
        step = export(workdir, directory, dtype=dtype)
    except UserError as error:
        print(f"dlf: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"{directory}: step {step}")


if __name__ == "__main__":
    main()
