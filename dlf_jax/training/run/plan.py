"""The plan of a run: shapes and placement of the state, and the compiled steps."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
from jax.sharding import Mesh

from dlf_jax.compilation import Options, compiler_options
from dlf_jax.errors import UserError
from dlf_jax.models.config import DLFConfig
from dlf_jax.training.devices.sharding import batch_sharding, replicated, shardings
from dlf_jax.training.losses.rate_control import RateControl
from dlf_jax.training.losses.table import LossConfig
from dlf_jax.training.settings.sizes import model_config
from dlf_jax.training.stages.rules import trained_paths
from dlf_jax.training.stages.table import STAGES, trained_codebooks
from dlf_jax.training.stages.task import Task
from dlf_jax.training.step.optimizer import OptimizerConfig, make_optimizer
from dlf_jax.training.step.state import TrainState, create_state
from dlf_jax.training.step.train_step import (
    EvalStep,
    StepConfig,
    TrainStep,
    make_eval_step,
    make_train_step,
)
from dlf_jax.typing import Params


class Plan(NamedTuple):
    """A stage on a mesh, before any array exists.

    Attributes:
      model: sizes of the network.
      task: computation of the stage.
      rate: control of λ.
      create: parameters -> state before the first update.
      shapes: shapes and types of the state.
      placements: sharding of every array of the state.
      train_step: (state, inputs, batch uint8 [B H W 3]) -> (state, metrics), jitted;
        the state is donated.
      eval_step: (parameters, inputs, batch) -> metrics, jitted.
    """

    model: DLFConfig
    task: Task
    rate: RateControl
    create: Callable[[Params], TrainState]
    shapes: TrainState
    placements: TrainState
    train_step: TrainStep
    eval_step: EvalStep


def make_plan(config: ml_collections.ConfigDict, mesh: Mesh) -> Plan:
    """Plans a stage.

    Args:
      config: settings that `dlf_jax.training.settings.checks.check_settings` accepts.
      mesh: see `dlf_jax.training.devices.sharding`.

    Raises:
      UserError: sizes of the network contradict each other, or the batch does not fit
        the mesh.
    """
    stage, model = STAGES[config.stage], model_config(config.model.to_dict())
    rate = RateControl(config.lmbda, config.bpp_window)
    _check_batch(config, mesh)
    task = stage.task(model, LossConfig(**config.loss))
    params = jax.eval_shape(task.init, *init_arguments(config, model))
    rules = stage.rules_for(
        tune_semantic=config.tune_semantic, adversarial="discriminator" in params
    )
    tx = make_optimizer(
        OptimizerConfig(**config.optimizer), config.steps, params, rules
    )
    trained = trained_paths(params, rules)
    codebooks = trained_codebooks(params, stage, rules)

    def create(params: Params) -> TrainState:
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
            donate_argnums=donated_state(mesh.devices.flat[0].platform),
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
    """Returns the arguments of `Task.init`: a key and the smallest image."""
    size = model.tile_size
    return jax.random.key(config.seed), jnp.zeros((1, size, size, 3))


def step_options(config: ml_collections.ConfigDict, mesh: Mesh) -> Options:
    """Returns XLA options for the programs of a stage that run often."""
    platform = mesh.devices.flat[0].platform
    return compiler_options(platform, quick=config.quick_compile)


def donated_state(platform: str) -> tuple[int, ...]:
    """Returns `donate_argnums` of programs whose first argument is the state.

    Programs that donate crash on the CPU of jaxlib 0.5.3 when they are loaded from the
    compilation cache; 0.7.2 is the oldest release in which they are known to run.
    """
    crashes = platform == "cpu" and jax.__version_info__ < (0, 7, 2)
    return () if crashes else (0,)


def _check_batch(config: ml_collections.ConfigDict, mesh: Mesh) -> None:
    """Raises UserError unless devices have equal shares of every part of a batch."""
    parts = mesh.size * config.accumulate
    if config.batch_size % parts:
        raise UserError(
            f"batch_size must be a multiple of {parts}, {mesh.size} devices times "
            f"{config.accumulate} parts, not {config.batch_size}"
        )
