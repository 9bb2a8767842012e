"""Saving, resuming and starting from training checkpoints."""

import json
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from dlf_jax.errors import UserError
from dlf_jax.training.state import TrainState

_CONFIG = "config.json"


class Checkpoints:
    """The checkpoints of one working directory."""

    def __init__(self, workdir: Path, *, keep: int = 2):
        """Opens, or creates, the checkpoints of `workdir`; the `keep` newest stay."""
        self._manager = ocp.CheckpointManager(
            (workdir / "checkpoints").absolute(),
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep, enable_async_checkpointing=False
            ),
        )

    def latest(self) -> int | None:
        """Step of the newest checkpoint."""
        return self._manager.latest_step()

    def save(self, step: int, state: TrainState) -> None:
        """Writes a checkpoint; a step already saved is left alone."""
        if step != self.latest():
            self._manager.save(step, args=ocp.args.StandardSave(state))

    def restore(
        self, shapes: TrainState, sharding: jax.sharding.Sharding
    ) -> TrainState:
        """Newest checkpoint.

        Args:
          shapes: the state's structure, shapes and types.
          sharding: where every array is put.

        Raises:
          UserError: it was made with other settings.
        """
        shapes = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), shapes
        )
        try:
            return self._manager.restore(
                self.latest(), args=ocp.args.StandardRestore(shapes)
            )
        except (ValueError, KeyError) as error:
            raise UserError(
                "the checkpoint does not fit this configuration: use the settings it "
                f"was made with, or another --workdir ({error})".splitlines()[0]
            ) from error

    def close(self) -> None:
        """Releases what orbax holds."""
        self._manager.close()


def write_config(workdir: Path, config: dict[str, Any]) -> None:
    """Keeps the settings of a run beside its checkpoints."""
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / _CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def read_config(workdir: Path) -> dict[str, Any]:
    """Settings of the run in `workdir`.

    Raises:
      UserError: there is none.
    """
    path = workdir / _CONFIG
    if not path.is_file():
        raise UserError(f"{workdir} is not the --workdir of a training run")
    return json.loads(path.read_text())


def load_params(workdir: Path) -> tuple[Any, int]:
    """Parameters of the newest checkpoint of a run, on the host.

    Args:
      workdir: of a finished or interrupted run.

    Returns:
      The moving average of the parameters if the run kept one, else the parameters;
      and the step.

    Raises:
      UserError: there is no checkpoint.
    """
    read_config(workdir)
    manager = ocp.CheckpointManager((workdir / "checkpoints").absolute())
    step = manager.latest_step()
    if step is None:
        raise UserError(f"{workdir} has no checkpoint yet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # placement is given up on purpose
        state = manager.restore(step, args=ocp.args.StandardRestore())
    manager.close()
    params = state["params"] if state["ema"] is None else state["ema"]
    return jax.tree.map(np.asarray, params), step
