"""What a configuration compiles to: the state, its placement, and the steps."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
from jax.sharding import Mesh

from dlf_jax.compilation import Options, compiler_options
from dlf_jax.errors import UserError
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.variants import VARIANTS
from dlf_jax.training.devices.sharding import batch_sharding, replicated, shardings
from dlf_jax.training.losses.image import LossConfig
from dlf_jax.training.losses.rate_control import RateControl
from dlf_jax.training.stages.table import STAGES, trained_codebooks, trained_paths
from dlf_jax.training.stages.tasks import TASKS, Task
from dlf_jax.training.step.optimizer import OptimizerConfig, make_optimizer
from dlf_jax.training.step.state import TrainState, create_state
from dlf_jax.training.step.train_step import StepConfig, make_eval_step, make_train_step


class Plan(NamedTuple):
    """A stage on a mesh, before any array exists.

    Attributes:
      model: sizes of the network.
      task: the loss.
      rate: what λ may be.
      create: parameters -> state before the first update.
      shapes: of the state.
      placements: sharding of every array of the state.
      train_step: (state, constants, batch uint8 [B H W 3]) -> (state, metrics), jitted;
        the state is donated.
      eval_step: (parameters, constants, batch) -> metrics, jitted.
    """

    model: DLFConfig
    task: Task
    rate: RateControl
    create: Callable[[Any], TrainState]
    shapes: TrainState
    placements: TrainState
    train_step: Callable[..., Any]
    eval_step: Callable[..., Any]


def make_plan(config: ml_collections.ConfigDict, mesh: Mesh) -> Plan:
    """Reads the settings of a stage.

    Args:
      config: settings that `dlf_jax.training.settings.checks.check_settings` accepts.
      mesh: see `dlf_jax.training.devices.sharding`.

    Raises:
      UserError: the batch does not fit the mesh.
    """
    stage, model, loss = STAGES[config.stage], VARIANTS[config.model], config.loss
    rate = RateControl(config.lmbda, config.bpp_window)
    _check_batch(config, mesh)
    task = TASKS[stage.objective](model, LossConfig(**loss))
    params = jax.eval_shape(task.init, *init_arguments(config, model))
    rules = stage.rules_for(
        tune_semantic=config.tune_semantic, adversarial="discriminator" in params
    )
    tx = make_optimizer(
        OptimizerConfig(**config.optimizer), config.steps, params, rules
    )
    trained = trained_paths(params, rules)
    codebooks = trained_codebooks(params, stage, rules)

    def create(params: Any) -> TrainState:
        return create_state(
            params,
            tx,
            trained=trained,
            codebooks=codebooks,
            use_ema=config.ema_decay > 0,
            num_rates=model.num_rates,
        )

    step = StepConfig(
        seed=config.seed,
        ema_decay=config.ema_decay,
        revive_every=config.revive_every,
        lmbda_warmup=config.lmbda_warmup,
        adversarial_start=config.adversarial_start,
        accumulate=config.accumulate,
        dtype=config.dtype,
        remat=config.remat,
    )
    shapes = jax.eval_shape(create, params)
    placements = shardings(mesh, shapes)
    everywhere = replicated(mesh)
    compile_as = partial(jax.jit, compiler_options=step_options(config, mesh))
    return Plan(
        model=model,
        task=task,
        rate=rate,
        create=create,
        shapes=shapes,
        placements=placements,
        train_step=compile_as(
            make_train_step(task, tx, trained, step, everywhere),
            donate_argnums=0,
            in_shardings=(placements, everywhere, batch_sharding(mesh)),
            out_shardings=(placements, everywhere),
        ),
        eval_step=compile_as(
            make_eval_step(task, step, everywhere), out_shardings=everywhere
        ),
    )


def init_arguments(
    config: ml_collections.ConfigDict, model: DLFConfig
) -> tuple[jax.Array, jax.Array]:
    """What the parameters are initialised from: a key and the smallest image."""
    size = model.tile_size
    return jax.random.key(config.seed), jnp.zeros((1, size, size, 3))


def step_options(config: ml_collections.ConfigDict, mesh: Mesh) -> Options:
    """What XLA is told about the programs of a stage that run in every step or so."""
    platform = mesh.devices.flat[0].platform
    return compiler_options(platform, quick=config.quick_compile)


def _check_batch(config: ml_collections.ConfigDict, mesh: Mesh) -> None:
    """Every device must have an equal share of every part of a batch."""
    parts = mesh.size * config.accumulate
    if config.batch_size % parts:
        raise UserError(
            f"batch_size must be a multiple of {parts}, {mesh.size} devices times "
            f"{config.accumulate} parts; {config.batch_size} is not"
        )
