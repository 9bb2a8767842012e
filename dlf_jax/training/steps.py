"""The train step and the validation step: pure functions, jitted by the loop."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax

from dlf_jax.nn.vector_quantizer import VQOutput
from dlf_jax.training.codebooks import count_codes, perplexity, revive_unused
from dlf_jax.training.stages import path_names
from dlf_jax.training.state import TrainState
from dlf_jax.training.tasks import Task
from dlf_jax.typing import Array, Float, UInt8

Metrics = dict[str, Float[Array, ""]]

_VALIDATION_SEED = 0


def to_signed(batch: UInt8[Array, "B H W 3"]) -> Float[Array, "B H W 3"]:
    """uint8 to float32 in [-1, 1]."""
    return batch.astype(jnp.float32) / 127.5 - 1.0


def make_train_step(
    task: Task,
    tx: optax.GradientTransformation,
    *,
    seed: int,
    ema_decay: float,
    revive_every: int,
    lmbda_warmup: int,
) -> Callable[[TrainState, Any, Array], tuple[TrainState, Metrics]]:
    """Builds one update.

    Args:
      task: the loss.
      tx: the optimiser.
      seed: of the random numbers; those of a step depend on it and on the step alone.
      ema_decay: decay of the moving average of the parameters, which warms up from 0.
      revive_every: steps between revivals of unused codebook entries, which also
        happen after the first step.
      lmbda_warmup: steps over which the rate weights rise linearly to their values.

    Returns:
      (state, constants, batch uint8 [B H W 3]) -> (state, metrics).
    """

    def train_step(
        state: TrainState, constants: Any, batch: UInt8[Array, "B H W 3"]
    ) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        loss_key, revive_key = jax.random.split(key)
        image = to_signed(batch)
        ramp = jnp.minimum((state.step + 1) / max(lmbda_warmup, 1), 1.0)
        constants = constants | {"lmbda": constants["lmbda"] * ramp}

        def loss_fn(params):
            outcome = task.loss(params, constants, image, loss_key)
            return outcome.loss, outcome

        (loss, outcome), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        leaves = path_names(params) | outcome.statistics
        params = flax.traverse_util.unflatten_dict(leaves, sep="/")
        step = state.step + 1

        usage = {}
        for path, counts in state.usage.items():
            usage[path] = counts + count_codes(outcome.codes[path].indices, len(counts))
        metrics = {"loss": loss, **outcome.metrics}
        for path, counts in usage.items():
            metrics[f"codes/{path.split('/')[0]}"] = perplexity(counts)
        due = (step == 1) | (step % revive_every == 0)
        params, usage = _revive(revive_key, params, usage, outcome.codes, due)

        ema = state.ema
        if ema is not None:
            decay = jnp.minimum(ema_decay, (1.0 + step) / (10.0 + step))
            ema = optax.incremental_update(params, ema, 1.0 - decay)
        return TrainState(step, params, opt_state, ema, usage), metrics

    return train_step


def _revive(
    key: Array, params: Any, usage: Any, codes: Mapping[str, VQOutput], due: Array
) -> tuple[Any, Any]:
    """Revives unused codebook entries, and starts counting anew, where `due`."""
    leaves = path_names(params)
    keys = jax.random.split(key, max(len(usage), 1))
    for key, (path, counts) in zip(keys, usage.items(), strict=False):
        revived = revive_unused(key, leaves[path], counts, codes[path].inputs)
        leaves[path] = jnp.where(due, revived, leaves[path])
    usage = {path: jnp.where(due, 0.0, counts) for path, counts in usage.items()}
    return flax.traverse_util.unflatten_dict(leaves, sep="/"), usage


def make_eval_step(task: Task) -> Callable[[Any, Any, Array], Metrics]:
    """Builds (params, constants, batch uint8) -> metrics, with fixed random numbers."""

    def eval_step(
        params: Any, constants: Any, batch: UInt8[Array, "B H W 3"]
    ) -> Metrics:
        key = jax.random.key(_VALIDATION_SEED)
        outcome = task.loss(params, constants, to_signed(batch), key)
        return {"loss": outcome.loss, **outcome.metrics}

    return eval_step


def mean_metrics(all_metrics: Sequence[Metrics]) -> dict[str, float]:
    """Averages metrics over steps and brings them to the host."""
    means = jax.tree.map(lambda *m: jnp.mean(jnp.stack(m)), *all_metrics)
    return {name: float(value) for name, value in jax.device_get(means).items()}
