"""Saving, resuming and starting from training checkpoints."""

import json
import os
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint.checkpoint_managers import (
    AnyPreservationPolicy,
    BestN,
    LatestN,
)

from dlf_jax import strict_json
from dlf_jax.errors import UserError
from dlf_jax.extras import how
from dlf_jax.files import printable, replacing
from dlf_jax.training.step.state import TrainState

_CONFIG, _FOLDER = "config.json", "checkpoints"
# Orbax's name for what a checkpoint holds when it holds one thing.
_STATE = "default"


def _loss(metrics: dict[str, float]) -> float:
    return metrics["loss"]


class Checkpoints:
    """The checkpoints of one working directory: the last one, and the best.

    They are written in the background and appear whole or not at all.  With several
    processes, all of them call all methods.
    """

    def __init__(self, workdir: epath.Path):
        """Opens, or creates, the checkpoints of `workdir`, absolute or a URL."""
        self._manager = _open(
            workdir,
            # What a run that was killed had begun to write.
            cleanup_tmp_directories=True,
            preservation_policy=AnyPreservationPolicy(
                [
                    LatestN(1),
                    BestN(
                        get_metric_fn=_loss,
                        reverse=True,
                        n=1,
                        keep_checkpoints_without_metrics=False,
                    ),
                ]
            ),
        )

    def latest(self) -> int | None:
        """Step of the newest checkpoint."""
        return self._manager.latest_step()

    def save(
        self,
        step: int,
        state: TrainState,
        *,
        config: dict[str, Any],
        data: dict[str, Any],
        loss: float | None = None,
    ) -> None:
        """Starts to write a checkpoint; a step already saved is left alone.

        Args:
          step: number of the checkpoint.
          state: may be donated once this returns.
          config: settings of the run.
          data: state of the iterator over batches, the same on every process.
          loss: of the validation, which decides on the best checkpoint; None where
            there is none.
        """
        if step == self.latest():
            return
        items = ocp.args.Composite(
            **{_STATE: ocp.args.StandardSave(state)},
            config=ocp.args.JsonSave(config),
            data=ocp.args.JsonSave(data),
        )
        metrics = None if loss is None else {"loss": loss}
        self._manager.save(step, args=items, metrics=metrics)

    def restore(
        self, shapes: TrainState, placements: TrainState
    ) -> tuple[TrainState, dict[str, Any]]:
        """Newest checkpoint.

        Args:
          shapes: the state's structure, shapes and types.
          placements: the sharding of every array, whatever it was when it was saved.

        Returns:
          The state, and that of the iterator over batches.

        Raises:
          UserError: it was made with other settings.
        """
        shapes = jax.tree.map(
            lambda x, sharding: jax.ShapeDtypeStruct(
                x.shape, x.dtype, sharding=sharding
            ),
            shapes,
            placements,
        )
        items = ocp.args.Composite(
            **{_STATE: ocp.args.StandardRestore(shapes)}, data=ocp.args.JsonRestore()
        )
        try:
            found = self._manager.restore(self.latest(), args=items)
        except (ValueError, KeyError) as error:
            raise UserError(
                "the checkpoint does not fit this configuration: use the settings it "
                f"was made with, or another --workdir ({error})".splitlines()[0]
            ) from error
        return found[_STATE], found["data"]

    def close(self) -> None:
        """Waits for what is being written, and releases what orbax holds."""
        self._manager.wait_until_finished()
        self._manager.close()


def _open(workdir: epath.Path, **options: Any) -> ocp.CheckpointManager:
    return ocp.CheckpointManager(
        workdir / _FOLDER,
        item_names=(_STATE, "config", "data"),
        options=ocp.CheckpointManagerOptions(best_fn=_loss, best_mode="min", **options),
    )


def has_checkpoint(workdir: epath.Path) -> bool:
    """Whether a run can be resumed; nothing is created, and no process waited for."""
    return bool(ocp.utils.checkpoint_steps(workdir / _FOLDER))


def write_config(workdir: epath.Path, config: dict[str, Any]) -> None:
    """Keeps the settings of a run beside its checkpoints: all of them, or the old."""
    workdir.mkdir(parents=True, exist_ok=True)
    with replacing(workdir / _CONFIG) as temporary:
        temporary.write_text(strict_json.dumps(config, indent=2) + "\n")


def read_config(workdir: epath.Path) -> dict[str, Any]:
    """Settings of the run in `workdir`.

    Raises:
      UserError: there is none, or the file is damaged.
    """
    path = workdir / _CONFIG
    if not path.is_file():
        raise UserError(f"{workdir} is not the --workdir of a training run")
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
    except ValueError as error:
        raise UserError(
            f"{path} is damaged; every checkpoint has a copy, "
            f"{_FOLDER}/STEP/config/metadata: put it there"
        ) from error
    return found


def load_state(
    workdir: epath.Path, *, best: bool = False
) -> tuple[dict[str, Any], int]:
    """A checkpoint of a run, on the host.

    Args:
      workdir: of a finished or interrupted run, absolute or a URL.
      best: the one with the lowest validation loss, under the λ of its time, not the
        newest.

    Returns:
      Fields of `TrainState` as nested dictionaries and lists, and the step.

    Raises:
      UserError: there is no checkpoint.
    """
    read_config(workdir)
    manager = _open(workdir)
    step = (best and manager.best_step()) or manager.latest_step()
    manager.close()
    if step is None:
        raise UserError(f"{workdir} has no checkpoint yet")
    # Read as NumPy arrays, whatever devices they were on.
    handler = ocp.PyTreeCheckpointHandler()
    folder = workdir / _FOLDER / str(step) / _STATE
    on_host = ocp.RestoreArgs(restore_type=np.ndarray)
    how = jax.tree.map(lambda _: on_host, handler.metadata(folder).tree)
    return handler.restore(folder, args=ocp.args.PyTreeRestore(restore_args=how)), step


def averaged(state: dict[str, Any]) -> Any:
    """The moving average of the parameters if there is one, else the parameters."""
    return state["params"] if state["ema"] is None else state["ema"]


def absolute(workdir: str) -> epath.Path:
    """A working directory as orbax wants it; URLs such as gs://... stay as they are.

    Raises:
      UserError: what a URL names cannot be reached, or a path is not UTF-8.
    """
    if "://" not in workdir:
        path = epath.Path(os.path.expanduser(workdir)).absolute()
        if printable(path) != str(path):  # tensorstore takes no other
            raise UserError(f"the name of {path} must be UTF-8: use another folder")
        return path
    try:
        path = epath.Path(workdir)
        path.exists()
    except ImportError as error:
        raise UserError(
            f"{workdir}: {error}; for gs:// {how('gcs', 'gcsfs google-cloud-storage')}"
        ) from error
    except Exception as error:  # those of every storage's own library
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{workdir} cannot be reached ({reason})") from error
    return path
