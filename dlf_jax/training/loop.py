"""The training loop: the one place with side effects."""

import json
import math
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from dlf_jax.checkpoints.store import (
    bundled_models,
    is_directory_of_weights,
    load_donor,
)
from dlf_jax.data.pipeline import (
    CropConfig,
    PhotoSource,
    center_crop,
    find_photos,
    is_holdout,
    train_batches,
)
from dlf_jax.errors import UserError
from dlf_jax.models.variants import VARIANTS
from dlf_jax.perceptual.weights import load_lpips_params
from dlf_jax.training import checkpointing
from dlf_jax.training.optimizer import OptimizerConfig, make_optimizer
from dlf_jax.training.stages import STAGES, graft, trained_codebooks
from dlf_jax.training.state import TrainState, create_state
from dlf_jax.training.steps import make_eval_step, make_train_step, mean_metrics
from dlf_jax.training.tasks import TASKS, LossConfig, Task


class Stop:
    """Turns the first SIGINT or SIGTERM into a request; the second one acts."""

    def __init__(self):
        self.requested = False
        self._previous = {}

    def __enter__(self) -> "Stop":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def _handle(self, number: int, frame: Any) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def __exit__(self, *exc_info: Any) -> None:
        self._restore()


def train(config: ml_collections.ConfigDict, workdir: Path) -> TrainState:
    """Runs one stage, from wherever `workdir` says it stands.

    Args:
      config: see ``configs/dlf.py``.
      workdir: receives ``config.json``, ``metrics.jsonl`` and ``checkpoints/``.

    Returns:
      The last state.

    Raises:
      UserError: unusable photos, checkpoints or settings.
      FloatingPointError: the loss is no longer finite; the last checkpoint is good.
    """
    # ---- Model, loss, optimiser -----------------------------------------------------
    stage = STAGES[config.stage]
    model_config = VARIANTS[config.model]
    task = TASKS[stage.objective](model_config, LossConfig(**config.loss))
    if len(config.lmbda) != model_config.num_rates:
        raise UserError(f"lmbda must have {model_config.num_rates} values")
    sharded, replicated = _shardings()
    if config.batch_size % sharded.num_devices:
        raise UserError(f"batch_size must be a multiple of {sharded.num_devices}")

    # ---- Where to start: resume this run, else earlier stages, else scratch ----------
    workdir.mkdir(parents=True, exist_ok=True)
    checkpoints = checkpointing.Checkpoints(workdir)
    resuming = checkpoints.latest() is not None
    params = _init_params(
        task, model_config.tile_size, config.seed, replicated, shapes_only=resuming
    )
    if not resuming:
        for source in filter(None, config.init_from.split(",")):
            donor, origin = _donor(source)
            params, report = graft(params, donor)
            _say(f"{source} ({origin}): {report}")
        params = jax.device_put(params, replicated)
    rules = stage.rules_for(
        tune_semantic=config.tune_semantic, adversarial="discriminator" in params
    )
    tx = make_optimizer(
        OptimizerConfig(**config.optimizer), config.steps, params, rules
    )
    create = partial(
        create_state,
        tx=tx,
        codebooks=trained_codebooks(params, stage, rules),
        use_ema=config.ema_decay > 0,
    )
    if resuming:
        state = checkpoints.restore(jax.eval_shape(create, params), replicated)
        _say(f"resuming at step {int(state.step)}")
    else:
        state = jax.device_put(create(params), replicated)
    checkpointing.write_config(workdir, config.to_dict())

    # ---- Data ------------------------------------------------------------------------
    photos = find_photos([f for f in config.data.split(",") if f])
    source = PhotoSource(
        [p for p in photos if not is_holdout(p)],
        cache=config.cache_photos,
        num_threads=config.num_threads,
    )
    if source.skipped:
        _say(f"{len(source.skipped)} photos cannot be decoded")
    validation = _validation_batch(photos, config)
    first_step = int(state.step)
    batches = train_batches(
        source,
        CropConfig(**config.crop),
        batch_size=config.batch_size,
        seed=config.seed,
        first_batch=first_step,
        num_threads=config.num_threads,
    )

    # ---- Loop ------------------------------------------------------------------------
    constants = jax.device_put(_constants(task, config), replicated)
    train_step = jax.jit(
        make_train_step(
            task,
            tx,
            seed=config.seed,
            ema_decay=config.ema_decay,
            revive_every=config.revive_every,
            lmbda_warmup=config.lmbda_warmup,
        ),
        donate_argnums=0,
        in_shardings=(replicated, replicated, sharded),
        out_shardings=replicated,
    )
    eval_step = jax.jit(make_eval_step(task))
    pending, saved_at, logged_at = [], time.monotonic(), time.monotonic()
    with Stop() as stop, (workdir / "metrics.jsonl").open("a") as log:
        for step in range(first_step + 1, config.steps + 1):
            batch = jax.device_put(next(batches), sharded)
            state, metrics = train_step(state, constants, batch)
            pending.append(metrics)
            # Read once: a signal that comes later is for the next step, which saves.
            stopping = stop.requested
            last = step == config.steps or stopping
            if step % config.log_every == 0 or last:
                means = mean_metrics(pending)
                seconds = time.monotonic() - logged_at
                rate = len(pending) * config.batch_size / seconds
                _log(log, step, means, images_per_s=rate)
                if not math.isfinite(means["loss"]):
                    raise FloatingPointError(f"loss is {means['loss']} at step {step}")
                pending, logged_at = [], time.monotonic()
            if last or time.monotonic() - saved_at > 60 * config.save_minutes:
                if pending and not math.isfinite(mean_metrics(pending)["loss"]):
                    raise FloatingPointError(f"loss is not finite at step {step}")
                checkpoints.save(step, state)
                if validation is not None:
                    params = state.params if state.ema is None else state.ema
                    found = mean_metrics([eval_step(params, constants, validation)])
                    _log(log, step, found, prefix="val/")
                saved_at = time.monotonic()
            if stopping:
                _say(f"stopped at step {step}; the same command goes on from here")
                break
    checkpoints.close()
    return state


def _init_params(
    task: Task, size: int, seed: int, sharding: NamedSharding, *, shapes_only: bool
) -> Any:
    """Fresh parameters, or their shapes alone; `size` is the side of a valid image."""
    args = jax.random.key(seed), jnp.zeros((1, size, size, 3))
    if shapes_only:
        return jax.eval_shape(task.init, *args)
    # Runs once, and optimising hundreds of small random generators takes minutes.
    options = {"xla_backend_optimization_level": 0}
    init = jax.jit(task.init, out_shardings=sharding, compiler_options=options)
    return init(*args)


def _donor(source: str) -> tuple[Any, str]:
    """Parameters of an earlier stage, or of a model or parts by name or directory."""
    if source in bundled_models() or is_directory_of_weights(Path(source)):
        name, params = load_donor(source)
        return params, name
    params, step = checkpointing.load_params(Path(source))
    return params, f"step {step}"


def _shardings() -> tuple[NamedSharding, NamedSharding]:
    """Shardings over all devices: of the batch axis, and of what every device holds."""
    mesh = Mesh(np.asarray(jax.devices()), ("data",))
    return (
        NamedSharding(mesh, PartitionSpec("data")),
        NamedSharding(mesh, PartitionSpec()),
    )


def _constants(task: Task, config: ml_collections.ConfigDict) -> dict[str, Any]:
    """Rate weights, and the frozen networks that the loss needs."""
    return {
        "lmbda": jnp.asarray(config.lmbda, jnp.float32),
        "lpips": {net: load_lpips_params(net) for net in task.lpips},
    }


def _validation_batch(
    photos: list[Path], config: ml_collections.ConfigDict
) -> np.ndarray | None:
    """Centre crops of the photos left out of training."""
    source = PhotoSource([p for p in photos if is_holdout(p)], cache=True)
    size = config.crop.size
    crops = [center_crop(source[i], size) for i in range(len(source))]
    return np.stack(crops[: config.validation_photos]) if crops else None


def _say(message: str) -> None:
    print(message, flush=True)


def _log(
    log: Any,
    step: int,
    metrics: dict[str, float],
    *,
    prefix: str = "",
    images_per_s: float | None = None,
) -> None:
    """One line for people, one JSON line for programs."""
    named = {f"{prefix}{name}": value for name, value in metrics.items()}
    if images_per_s is not None:
        named["images/s"] = images_per_s
    parts = " ".join(f"{name} {value:.4g}" for name, value in named.items())
    _say(f"step {step:>7} {parts}")
    log.write(json.dumps({"step": step, "time": round(time.time(), 1), **named}) + "\n")
    log.flush()
