"""The train step and the validation step: pure functions, jitted by the loop."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from dlf_jax.nn.remat import recompute_blocks
from dlf_jax.ops.pixels import to_signed
from dlf_jax.paths import flatten, nest
from dlf_jax.training.losses.image import Picks
from dlf_jax.training.stages.table import merge, select
from dlf_jax.training.stages.tasks import Task
from dlf_jax.training.step.accumulation import accumulate
from dlf_jax.training.step.codebooks import count_codes, perplexity, revive_unused
from dlf_jax.training.step.precision import compute_params
from dlf_jax.training.step.state import TrainState
from dlf_jax.typing import Array, Float, Int, UInt8

# By name: a value, or a sum over some images of the batch and their number.
Metrics = dict[str, Float[Array, ""] | Float[Array, "2"]]

_VALIDATION_SEED = 0


@dataclasses.dataclass(frozen=True)
class StepConfig:
    """Settings of the train step.

    Attributes:
      seed: of the random numbers; those of a step depend on it and on the step alone.
      ema_decay: decay of the moving average of the parameters, which warms up from 0.
      revive_every: steps between revivals of unused codebook entries. The first step
        revives too: a fresh codebook begins with vectors of the data.
      lmbda_warmup: steps over which the rate weights rise linearly to their values.
      adversarial_start: steps before the discriminator enters.
      accumulate: parts in which a batch is taken, one after the other; each takes
        images from everywhere in the batch.
      dtype: type of linear maps and convolutions, "float32" or "bfloat16"; see
        `dlf_jax.training.step.precision`.
      remat: blocks are computed a second time in the backward pass, to save memory.
    """

    seed: int = 0
    ema_decay: float = 0.0
    revive_every: int = 1
    lmbda_warmup: int = 0
    adversarial_start: int = 0
    accumulate: int = 1
    dtype: str = "float32"
    remat: bool = False


def make_train_step(
    task: Task,
    tx: optax.GradientTransformation,
    trained: Sequence[str],
    config: StepConfig,
    gathered: jax.sharding.Sharding | None = None,
) -> Callable[[TrainState, Any, Array], tuple[TrainState, Metrics]]:
    """Builds one update.

    Args:
      task: the loss.
      tx: the optimiser of the trained parameters.
      trained: their paths.
      config: settings.
      gathered: placement of the parameters while the network computes; None leaves it
        to the compiler, which may move activations instead.

    Returns:
      (state, constants, batch uint8 [B H W 3]) -> (state, metrics).
    """

    def train_step(
        state: TrainState, constants: Any, batch: UInt8[Array, "B H W 3"]
    ) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(config.seed), state.step)
        loss_key, revive_key = jax.random.split(key)
        draws = task.draw(loss_key, batch.shape)
        ramp = jnp.minimum((state.step + 1) / max(config.lmbda_warmup, 1), 1.0)
        constants = constants | {
            "lmbda": constants["lmbda"] * ramp,
            "adversarial": 1.0 * (state.step >= config.adversarial_start),
        }

        def gradient(image, draws):
            def loss_fn(moving):
                params = merge(state.params, moving)
                params = _for_computing(params, config, gathered)
                with recompute_blocks(config.remat):
                    outcome = task.loss(params, constants, image, draws)
                return outcome.loss, outcome

            moving = select(state.params, trained)
            grads, outcome = jax.grad(loss_fn, has_aux=True)(moving)
            return outcome, grads

        outcome, grads = accumulate(
            gradient, to_signed(batch), draws, num_parts=config.accumulate
        )
        moving = select(state.params, trained)
        updates, opt_state = tx.update(grads, state.opt_state, moving)
        params = merge(state.params, optax.apply_updates(moving, updates))
        params = merge(params, outcome.statistics)
        step = state.step + 1

        usage = {}
        for path, counts in state.usage.items():
            usage[path] = counts + count_codes(outcome.codes[path].indices, len(counts))
        metrics = {"loss": outcome.loss, **outcome.metrics}
        if outcome.bpp is not None:
            metrics |= _by_rate(outcome.bpp, draws.rate, len(constants["lmbda"]))
        metrics |= {
            f"gradient/{name}": optax.tree.norm(part) for name, part in grads.items()
        }
        for path, counts in usage.items():
            metrics[f"codes/{path.split('/')[0]}"] = perplexity(counts)
        due = (step == 1) | (step % config.revive_every == 0)
        params, usage = _revive(revive_key, params, usage, outcome.codes, due)

        ema = state.ema
        if ema is not None:
            decay = jnp.minimum(config.ema_decay, (1.0 + step) / (10.0 + step))
            ema = optax.incremental_update(params, ema, 1.0 - decay)
        return TrainState(step, params, opt_state, ema, usage, state.rungs), metrics

    return train_step


def _for_computing(
    params: Any, config: StepConfig, gathered: jax.sharding.Sharding | None
) -> Any:
    """Parameters in their types and at their places while the network computes."""
    params = compute_params(params, config.dtype)
    if gathered is None:
        return params
    return jax.lax.with_sharding_constraint(params, gathered)


def _by_rate(
    bpp: Mapping[str, Float[Array, "B"]], rate: Int[Array, "B"], num_rates: int
) -> Metrics:
    """Sum of bpp and number of the images at every rate point."""
    metrics = {}
    for r in range(num_rates):
        members = rate == r
        for name, values in bpp.items():
            total = jnp.sum(values, where=members)
            metrics[f"{name}/{r}"] = jnp.stack([total, 1.0 * members.sum()])
    return metrics


def _revive(
    key: Array, params: Any, usage: Any, codes: Mapping[str, Picks], due: Array
) -> tuple[Any, Any]:
    """Revives unused codebook entries, and starts counting anew, where `due`."""
    leaves = flatten(params)
    keys = jax.random.split(key, max(len(usage), 1))
    for key, (path, counts) in zip(keys, usage.items(), strict=False):
        revived = revive_unused(key, leaves[path], counts, codes[path].inputs)
        leaves[path] = jnp.where(due, revived, leaves[path])
    usage = {path: jnp.where(due, 0.0, counts) for path, counts in usage.items()}
    return nest(leaves), usage


def make_eval_step(
    task: Task, config: StepConfig, gathered: jax.sharding.Sharding | None = None
) -> Callable[[Any, Any, Array], Metrics]:
    """Builds (params, constants, batch uint8) -> metrics; see `make_train_step`.

    Random numbers are fixed, and the discriminator has no say.
    """

    def eval_step(
        params: Any, constants: Any, batch: UInt8[Array, "B H W 3"]
    ) -> Metrics:
        draws = task.draw(jax.random.key(_VALIDATION_SEED), batch.shape)
        constants = constants | {"adversarial": 0.0}
        params = _for_computing(params, config, gathered)
        outcome = task.loss(params, constants, to_signed(batch), draws)
        metrics = {"loss": outcome.loss, **outcome.metrics}
        if outcome.bpp is not None:
            metrics |= _by_rate(outcome.bpp, draws.rate, len(constants["lmbda"]))
        return metrics

    return eval_step


def mean_metrics(all_metrics: Sequence[Metrics]) -> dict[str, float]:
    """Averages metrics over steps and brings them to the host.

    What is of some images is averaged over these, and left out where there are none.
    """
    means = jax.tree.map(lambda *m: jnp.mean(jnp.stack(m), axis=0), *all_metrics)
    found = {}
    for name, value in jax.device_get(means).items():
        if value.ndim == 0:
            found[name] = float(value)
        elif value[1]:
            found[name] = float(value[0] / value[1])
    return found
