"""Training checkpoints: saving, resuming, and reading on the host."""

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
from dlf_jax.training.settings.kinds import Settings
from dlf_jax.training.step.state import TrainState
from dlf_jax.typing import Params

_CONFIG, _FOLDER = "config.json", "checkpoints"
# Orbax's name for the only item of a checkpoint; older runs have no other.
_STATE = "default"


def _loss(metrics: dict[str, float]) -> float:
    return metrics["loss"]


class Checkpoints:
    """Checkpoints of one working directory: the last and the best.

    They are written in the background and appear whole or not at all.  With several
    processes, every process calls every method.
    """

    def __init__(self, workdir: epath.Path):
        """Opens, or creates, the checkpoints of `workdir`, absolute or a URL."""
        self._manager = _open(
            workdir,
            # Partial checkpoints of a killed run.
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
        """Returns the step of the newest checkpoint."""
        return self._manager.latest_step()

    def save(
        self,
        step: int,
        state: TrainState,
        *,
        config: Settings,
        data: dict[str, Any],
        loss: float | None = None,
    ) -> None:
        """Starts to write a checkpoint, unless the step is saved already.

        Args:
          step: number of the checkpoint.
          state: state of the run; may be donated once this returns.
          config: settings of the run.
          data: state of the iterator over batches, the same on every process.
          loss: validation loss, which decides on the best checkpoint; None without a
            validation.
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
        """Reads the newest checkpoint.

        Args:
          shapes: structure, shapes and types of the state.
          placements: sharding of every array, which may differ from that at saving.

        Returns:
          State of the run, and state of the iterator over batches.

        Raises:
          UserError: the checkpoint does not fit `shapes`.
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
                "the checkpoint does not fit these settings: use those of its run, or "
                f"another --workdir ({error})".splitlines()[0]
            ) from error
        return found[_STATE], found["data"]

    def close(self) -> None:
        """Waits for pending writes, and releases resources of orbax."""
        self._manager.wait_until_finished()
        self._manager.close()


def _open(workdir: epath.Path, **options: Any) -> ocp.CheckpointManager:
    return ocp.CheckpointManager(
        workdir / _FOLDER,
        item_names=(_STATE, "config", "data"),
        options=ocp.CheckpointManagerOptions(best_fn=_loss, best_mode="min", **options),
    )


def has_checkpoint(workdir: epath.Path) -> bool:
    """Returns whether a run can be resumed, without side effects."""
    return bool(ocp.utils.checkpoint_steps(workdir / _FOLDER))


def write_config(workdir: epath.Path, config: Settings) -> None:
    """Writes the settings of a run beside its checkpoints, atomically."""
    workdir.mkdir(parents=True, exist_ok=True)
    with replacing(workdir / _CONFIG) as temporary:
        temporary.write_text(strict_json.dumps(config, indent=2) + "\n")


def read_config(workdir: epath.Path) -> Settings:
    """Reads the settings of the run in `workdir`.

    Raises:
      UserError: `workdir` has no settings, or the file is damaged.
    """
    path = workdir / _CONFIG
    if not path.is_file():
        raise UserError(
            f"{workdir} is not the --workdir of a training run: name one, or start it "
            "with `dlf train --config`"
        )
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
    except ValueError as error:
        raise UserError(
            f"{path} is damaged: replace it by the copy in a checkpoint, "
            f"{_FOLDER}/STEP/config/metadata"
        ) from error
    return found


def load_state(
    workdir: epath.Path, *, best: bool = False
) -> tuple[dict[str, Any], int]:
    """Reads a checkpoint of a run on the host.

    Args:
      workdir: of a finished or interrupted run, absolute or a URL.
      best: read the checkpoint with the lowest validation loss, at the λ of its time,
        instead of the newest.

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
    # As NumPy arrays, whatever their devices were.
    handler = ocp.PyTreeCheckpointHandler()
    folder = workdir / _FOLDER / str(step) / _STATE
    on_host = ocp.RestoreArgs(restore_type=np.ndarray)
    how = jax.tree.map(lambda _: on_host, handler.metadata(folder).tree)
    return handler.restore(folder, args=ocp.args.PyTreeRestore(restore_args=how)), step


def averaged(state: dict[str, Any]) -> Params:
    """Returns the moving average of the parameters, or the parameters without one."""
    return state["params"] if state["ema"] is None else state["ema"]


def absolute(workdir: str) -> epath.Path:
    """Returns an absolute working directory; URLs such as gs://... stay as they are.

    Raises:
      UserError: a URL cannot be reached, or a path is not UTF-8.
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
