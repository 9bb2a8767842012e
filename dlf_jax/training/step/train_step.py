"""The train step and the validation step: pure functions, jitted by the loop."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import optax

from dlf_jax.nn.remat import recompute_blocks
from dlf_jax.ops.pixels import to_signed
from dlf_jax.paths import flatten, nest
from dlf_jax.training.losses.output import CodebookUse, LossOutput
from dlf_jax.training.stages.rules import merge, select
from dlf_jax.training.stages.task import Task
from dlf_jax.training.step.accumulation import accumulate
from dlf_jax.training.step.codebooks import count_codes, perplexity, revive_unused
from dlf_jax.training.step.inputs import StepInputs
from dlf_jax.training.step.precision import compute_params
from dlf_jax.training.step.state import TrainState
from dlf_jax.typing import Array, Float, Int, Params, UInt8

# By name: a value, or a sum over some images of the batch and their number.
Metrics = dict[str, Float[Array, ""] | Float[Array, "2"]]
# By path of a codebook: usage of its entries, [K].
Usage = dict[str, Array]

TrainStep = Callable[[TrainState, StepInputs, Array], tuple[TrainState, Metrics]]
EvalStep = Callable[[Params, StepInputs, Array], Metrics]

_VALIDATION_SEED = 0


@dataclasses.dataclass(frozen=True)
class StepConfig:
    """Settings of the train step.

    Attributes:
      seed: seed of the random numbers; those of a step depend on seed and step alone.
      ema_decay: decay of the moving average of the parameters, warmed up from 0.
      revive_every: steps between revivals of unused codebook entries. The first step
        revives too, so that a fresh codebook begins with vectors of the data.
      lmbda_warmup: steps over which the rate weights rise linearly to their values.
      adversarial_start: steps before the discriminator enters.
      accumulate: parts in which a batch is computed, one after the other.
      dtype: type of linear maps and convolutions, "float32" or "bfloat16"; see
        `dlf_jax.training.step.precision`.
      remat: blocks are computed again in the backward pass, to save memory.
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
) -> TrainStep:
    """Builds one update.

    Args:
      task: computation of the stage.
      tx: optimiser of the trained parameters.
      trained: paths of the trained parameters.
      config: settings.
      gathered: placement of the parameters while the network computes; None leaves it
        to the compiler, which may move activations instead.

    Returns:
      (state, inputs, batch uint8 [B H W 3]) -> (state, metrics).
    """

    def train_step(
        state: TrainState, inputs: StepInputs, batch: UInt8[Array, "B H W 3"]
    ) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(config.seed), state.step)
        loss_key, revive_key = jax.random.split(key)
        random = task.sample(loss_key, batch.shape)
        ramp = jnp.minimum((state.step + 1) / max(config.lmbda_warmup, 1), 1.0)
        inputs = inputs.replace(
            lmbda=inputs.lmbda * ramp,
            adversarial=1.0 * (state.step >= config.adversarial_start),
        )

        def gradient(image, random):
            def loss_fn(moving):
                params = merge(state.params, moving)
                params = _for_computing(params, config, gathered)
                with recompute_blocks(config.remat):
                    output = task.loss(params, inputs, image, random)
                return output.loss, output

            moving = select(state.params, trained)
            grads, output = jax.grad(loss_fn, has_aux=True)(moving)
            return output, grads

        output, grads = accumulate(
            gradient, to_signed(batch), random, num_parts=config.accumulate
        )
        moving = select(state.params, trained)
        updates, opt_state = tx.update(grads, state.opt_state, moving)
        params = merge(state.params, optax.apply_updates(moving, updates))
        params = merge(params, output.statistics)
        step = state.step + 1

        usage = {}
        for path, counts in state.usage.items():
            usage[path] = counts + count_codes(output.codes[path].indices, len(counts))
        metrics = _metrics(output, random.rate, len(inputs.lmbda))
        metrics |= {
            f"gradient/{name}": optax.tree.norm(part) for name, part in grads.items()
        }
        for path, counts in usage.items():
            metrics[f"codes/{path.split('/')[0]}"] = perplexity(counts)
        due = (step == 1) | (step % config.revive_every == 0)
        params, usage = _revive(revive_key, params, usage, output.codes, due)

        ema = state.ema
        if ema is not None:
            decay = jnp.minimum(config.ema_decay, (1.0 + step) / (10.0 + step))
            ema = optax.incremental_update(params, ema, 1.0 - decay)
        return TrainState(step, params, opt_state, ema, usage, state.rungs), metrics

    return train_step


def make_eval_step(
    task: Task, config: StepConfig, gathered: jax.sharding.Sharding | None = None
) -> EvalStep:
    """Builds (params, inputs, batch uint8) -> metrics; see `make_train_step`.

    Random numbers are fixed, and the discriminator takes no part.
    """

    def eval_step(
        params: Params, inputs: StepInputs, batch: UInt8[Array, "B H W 3"]
    ) -> Metrics:
        random = task.sample(jax.random.key(_VALIDATION_SEED), batch.shape)
        inputs = inputs.replace(adversarial=jnp.zeros(()))
        params = _for_computing(params, config, gathered)
        output = task.loss(params, inputs, to_signed(batch), random)
        return _metrics(output, random.rate, len(inputs.lmbda))

    return eval_step


def mean_metrics(all_metrics: Sequence[Metrics]) -> dict[str, float]:
    """Averages metrics over steps and brings them to the host.

    Per-rate values are averaged over the images of that rate, and omitted if there were
    none.
    """
    means = jax.tree.map(lambda *m: jnp.mean(jnp.stack(m), axis=0), *all_metrics)
    found = {}
    for name, value in jax.device_get(means).items():
        if value.ndim == 0:
            found[name] = float(value)
        elif value[1]:
            found[name] = float(value[0] / value[1])
    return found


def _for_computing(
    params: Params, config: StepConfig, gathered: jax.sharding.Sharding | None
) -> Params:
    """Parameters in the types and at the places of the network's computation."""
    params = compute_params(params, config.dtype)
    if gathered is None:
        return params
    return jax.lax.with_sharding_constraint(params, gathered)


def _metrics(
    output: LossOutput, rate: Int[Array, "B"] | None, num_rates: int
) -> Metrics:
    """Loss and terms by name, and bits per pixel at every rate point."""
    metrics = {"loss": output.loss, **output.metrics}
    if output.bpp is not None:
        metrics |= _by_rate(output.bpp, rate, num_rates)
    return metrics


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
    key: Array,
    params: Params,
    usage: Usage,
    codes: Mapping[str, CodebookUse],
    due: Array,
) -> tuple[Params, Usage]:
    """Revives unused codebook entries, and resets the counts, where `due`."""
    leaves = flatten(params)
    keys = jax.random.split(key, max(len(usage), 1))
    for key, (path, counts) in zip(keys, usage.items(), strict=False):
        revived = revive_unused(key, leaves[path], counts, codes[path].inputs)
        leaves[path] = jnp.where(due, revived, leaves[path])
    usage = {path: jnp.where(due, 0.0, counts) for path, counts in usage.items()}
    return nest(leaves), usage
