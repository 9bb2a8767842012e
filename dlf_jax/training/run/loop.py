"""The training loop."""

import time
from collections.abc import Callable
from functools import partial

import jax
import ml_collections
import numpy as np
from etils import epath
from jax.sharding import Mesh

from dlf_jax.compilation import compiler_options
from dlf_jax.data.crops import CropConfig, center_crop
from dlf_jax.data.photos import Photos, split_holdout
from dlf_jax.data.pipeline import train_batches
from dlf_jax.data.sources import open_source
from dlf_jax.errors import UserError
from dlf_jax.paths import flatten, nest
from dlf_jax.training.devices.sharding import (
    MeshConfig,
    batch_sharding,
    make_mesh,
    replicated,
)
from dlf_jax.training.devices.utilization import step_flops, utilization
from dlf_jax.training.losses.table import load_networks
from dlf_jax.training.run import checkpointing
from dlf_jax.training.run.distributed import Stop, agreed
from dlf_jax.training.run.divergence import check_finite
from dlf_jax.training.run.donors import (
    DonorParams,
    load_donors,
    restore_matching_moments,
)
from dlf_jax.training.run.monitor import Monitor
from dlf_jax.training.run.plan import (
    Plan,
    donated_state,
    init_arguments,
    make_plan,
    step_options,
)
from dlf_jax.training.run.profiling import profile_steps
from dlf_jax.training.run.validation import ValidationResult, make_validate
from dlf_jax.training.settings.resuming import check_unchanged
from dlf_jax.training.stages.table import STAGES
from dlf_jax.training.step.codebooks import IN_USE
from dlf_jax.training.step.inputs import StepInputs
from dlf_jax.training.step.state import TrainState
from dlf_jax.training.step.train_step import mean_metrics
from dlf_jax.typing import Array, Params


def train(config: ml_collections.ConfigDict, workdir: epath.Path) -> TrainState:
    """Trains one stage, or resumes the run in `workdir`.

    Args:
      config: settings that `dlf_jax.training.settings.checks.check_settings` accepts.
      workdir: absolute path or URL; receives ``config.json``, ``checkpoints/`` and the
        reports of `dlf_jax.training.run.monitor`.

    Returns:
      The last state.

    Raises:
      UserError: unusable photos, donors or checkpoints, or settings that differ from
        those of the run in `workdir`.
      FloatingPointError: a value is not finite; the last checkpoint is good.
      KeyboardInterrupt: Ctrl-C, after a checkpoint was saved.
    """
    # ---- Model, loss, optimiser, placement -------------------------------------------
    mesh = make_mesh(MeshConfig(**config.mesh))
    plan = make_plan(config, mesh)

    # ---- Where to start: resume this run, else earlier stages, else scratch ----------
    source = open_source(config.data)
    resuming = checkpointing.has_checkpoint(workdir)
    if resuming:
        check_unchanged(checkpointing.read_config(workdir), config.to_dict())
    else:
        stage = STAGES[config.stage]
        needs = stage.needs_for(tune_semantic=config.tune_semantic)
        donors = load_donors(config.stage, config.init_from, plan.shapes.params, needs)
    # Nothing is written before settings, photos and donors are known to be good.
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot create {workdir} ({error.strerror or error}): name another "
            "--workdir"
        ) from error
    checkpoints = checkpointing.Checkpoints(workdir)
    resumed_data = None
    if resuming:
        state, resumed_data = checkpoints.restore(plan.shapes, plan.placements)
        _say(f"resuming at step {int(state.step)}")
    else:
        state = _first_state(plan, config, donors)

    # ---- Data ------------------------------------------------------------------------
    kept, held_out = split_holdout(source)
    load = partial(
        Photos,
        source,
        max_undecodable=config.max_undecodable,
        num_threads=config.num_threads,
    )
    photos = load(kept, cache=config.cache_photos)
    validate = _make_validate(plan, mesh, load(held_out), config)
    first_step = int(state.step)
    batches = train_batches(
        photos,
        CropConfig(**config.crop),
        batch_size=config.batch_size // jax.process_count(),
        seed=config.seed,
        process_index=jax.process_index(),
        num_processes=jax.process_count(),
        num_threads=config.num_threads,
    )
    if resumed_data is not None:
        batches.set_state(resumed_data)
    # Only now: settings are saved that a run can resume with.
    if jax.process_index() == 0:
        checkpointing.write_config(workdir, config.to_dict())

    # ---- Loop ------------------------------------------------------------------------
    everywhere, sharded = replicated(mesh), batch_sharding(mesh)
    rungs, train_step, flops = jax.device_get(state.rungs), None, None
    lmbda = plan.rate.lmbda(rungs)
    inputs = StepInputs(lmbda, networks=load_networks(list(plan.task.networks)))
    inputs = jax.device_put(inputs, everywhere)
    pending, saved_at = [], time.monotonic()
    with (
        Stop() as stop,
        Monitor(
            workdir,
            first_step=first_step,
            num_steps=config.steps,
            batch_size=config.batch_size,
            main_process=jax.process_index() == 0,
        ) as monitor,
        profile_steps(workdir / "profile", *config.profile) as after_step,
    ):
        for step in range(first_step + 1, config.steps + 1):
            batch = jax.make_array_from_process_local_data(sharded, next(batches))
            if train_step is None:
                train_step = plan.train_step.lower(state, inputs, batch).compile()
                flops = step_flops(train_step, config.accumulate)
                monitor.restart_clock(step - 1)
            state, metrics = train_step(state, inputs, batch)
            after_step(step, metrics)
            pending.append(metrics)
            # The host stays at most one step ahead, so a signal waits for two steps.
            jax.block_until_ready(pending[-2:][0])
            # Asked once: a later signal stops the run after the next step.
            stopping = stop.requested(step)
            last = step == config.steps or stopping
            validating = step % config.validation.every == 0 or step == config.steps
            if step % config.log_every and not (last or validating):
                continue
            means = mean_metrics(pending)
            means |= {f"lmbda/{r}": float(value) for r, value in enumerate(lmbda)}
            seconds = monitor.seconds_per_step(step)
            means |= utilization(flops, seconds, mesh.devices.flat[0].device_kind)
            if photos.num_undecodable:
                means["undecodable"] = photos.num_undecodable
            monitor.train(step, means)
            check_finite(means, pending, step)
            pending = []
            found = ValidationResult()
            if validating:
                params = state.params if state.ema is None else state.ema
                found = validate(params, inputs)
                monitor.validation(step, found.metrics, found.pictures)
                if found.bpp:
                    rungs = plan.rate.adapt(rungs, found.bpp)
                    lmbda = plan.rate.lmbda(rungs)
                    state = state.replace(rungs=jax.device_put(rungs, everywhere))
                    inputs = inputs.replace(lmbda=jax.device_put(lmbda, everywhere))
            due = time.monotonic() - saved_at > 60 * config.save_minutes
            if last or validating or agreed(due):
                checkpoints.save(
                    step,
                    state,
                    config=config.to_dict(),
                    data=batches.get_state(),
                    loss=found.metrics.get("loss"),
                )
                saved_at = time.monotonic()
                monitor.restart_clock(step)
            if stopping:
                monitor.say(f"stopped at step {step}; the same command resumes")
                break
        checkpoints.close()
    if stop.interrupted:
        raise KeyboardInterrupt
    return state


def _first_state(
    plan: Plan, config: ml_collections.ConfigDict, donors: DonorParams
) -> TrainState:
    """State before the first update, with parameters and moments of donors."""
    for report in donors.reports:
        _say(report)
    leaves = flatten(donors.params)
    taken = [
        path
        for path in plan.shapes.usage
        if not isinstance(leaves[path], jax.ShapeDtypeStruct)
    ]
    params = _with_fresh(donors.params, plan, init_arguments(config, plan.model))
    params = jax.device_put(params, plan.placements.params)
    create = jax.jit(
        plan.create,
        donate_argnums=donated_state(jax.default_backend()),
        out_shardings=plan.placements,
        # Runs once: optimising would take longer.
        compiler_options=compiler_options(jax.default_backend(), quick=True),
    )
    state = create(params)
    for path in taken:
        counts = np.full(state.usage[path].shape, IN_USE, np.float32)
        state.usage[path] = jax.device_put(counts, plan.placements.usage[path])
    if config.optimizer_from_donor and donors.opt_state is None:
        _say("moments: fresh, because the last donor has none")
    elif config.optimizer_from_donor:
        opt_state, report = restore_matching_moments(state.opt_state, donors.opt_state)
        _say(f"moments: {report}")
        opt_state = jax.device_put(opt_state, plan.placements.opt_state)
        state = state.replace(opt_state=opt_state)
    return state


def _with_fresh(params: Params, plan: Plan, arguments: tuple[Array, Array]) -> Params:
    """Draws initial values in place of shapes; XLA drops all other computations."""
    leaves, placements = flatten(params), flatten(plan.placements.params)
    fresh = [p for p, x in leaves.items() if isinstance(x, jax.ShapeDtypeStruct)]

    def init(*arguments: Array) -> dict[str, Array]:
        drawn = flatten(plan.task.init(*arguments))
        return {path: drawn[path] for path in fresh}

    if fresh:
        init = jax.jit(
            init,
            out_shardings={path: placements[path] for path in fresh},
            compiler_options=compiler_options(jax.default_backend(), quick=True),
        )
        leaves |= init(*arguments)
    return nest(leaves)


def _make_validate(
    plan: Plan, mesh: Mesh, photos: Photos, config: ml_collections.ConfigDict
) -> Callable[[Params, StepInputs], ValidationResult]:
    """Validation on centre crops of the first of `photos`."""
    size = config.validation.size
    count = min(len(photos), config.validation.photos)
    crops = [center_crop(photos[i], size) for i in range(count)]
    return make_validate(
        plan.task,
        np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8),
        plan.eval_step,
        batch_size=config.batch_size,
        sharded=batch_sharding(mesh),
        replicated=replicated(mesh),
        compiler_options=step_options(config, mesh),
    )


def _say(message: str) -> None:
    if jax.process_index() == 0:
        print(message, flush=True)
