"""The optimiser: Adam or Muon in groups, a schedule, and optional clipping."""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from dlf_jax.paths import flatten
from dlf_jax.training.stages.rules import (
    ADVERSARY,
    TRAINED,
    Rules,
    match_rules,
    select,
    trained_paths,
)
from dlf_jax.training.step.orthogonal import orthogonalize
from dlf_jax.typing import Params, PyTree

Schedule = Literal["cosine", "constant"]
Name = Literal["adam", "muon"]

_EPSILON = 1e-8


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Settings of the optimiser.

    Attributes:
      lr: peak of the learning rate.
      warmup_steps: steps from 0 to the peak, fewer than those of the stage.
      final_factor: learning rate of the last step over the peak, with "cosine".
      clip_norm: limit on the global norm of the gradient; 0 for none.
      b1, b2: decay of Adam's moments.
      name: "adam", as released, or "muon" (arXiv 2502.16982), which orthogonalises the
        updates of kernels and leaves all other parameters to Adam with Nesterov's
        momentum.  Good learning rates are about the same for both.
      schedule: learning rate after the warm-up: "cosine", decaying until the last step,
        or "constant", as released.
    """

    lr: float
    warmup_steps: int
    final_factor: float
    clip_norm: float
    b1: float
    b2: float
    schedule: Schedule = "cosine"
    name: Name = "adam"


def make_schedule(config: OptimizerConfig, num_steps: int) -> optax.Schedule:
    """Returns the learning rate as a function of the step."""
    warmup = config.warmup_steps
    if config.schedule == "constant":
        if not warmup:
            return optax.constant_schedule(config.lr)
        return optax.linear_schedule(0.0, config.lr, warmup)
    return optax.warmup_cosine_decay_schedule(
        init_value=0.0 if warmup else config.lr,
        peak_value=config.lr,
        warmup_steps=warmup,
        decay_steps=num_steps,
        end_value=config.final_factor * config.lr,
    )


def make_optimizer(
    config: OptimizerConfig, num_steps: int, params: Params, rules: Rules
) -> optax.GradientTransformation:
    """Builds the optimiser of the parameters that `rules` train.

    Every group has moments and a step count of its own.  The gradient of the
    discriminator and that of all other groups are clipped separately.

    Args:
      config: settings.
      num_steps: length of the stage.
      params: all parameters of the stage, or their shapes.
      rules: see `dlf_jax.training.stages.rules`.

    Returns:
      A transformation that takes gradients of the trained parameters alone.

    Raises:
      ValueError: `rules` do not fit `params`.
    """
    labels = match_rules(params, rules)
    groups = select(labels, trained_paths(params, rules))
    names = sorted(set(flatten(groups).values()))
    chain = [
        optax.multi_transform(dict.fromkeys(names, _direction(config)), groups),
        optax.scale_by_learning_rate(make_schedule(config, num_steps)),
    ]
    if config.clip_norm:
        clip = optax.clip_by_global_norm(config.clip_norm)
        players = jax.tree.map(lambda g: g if g == ADVERSARY else TRAINED, groups)
        both = {TRAINED: clip, ADVERSARY: clip}
        chain.insert(0, optax.multi_transform(both, players))
    return optax.chain(*chain)


def _direction(config: OptimizerConfig) -> optax.GradientTransformation:
    """Update direction, before the learning rate."""
    if config.name == "adam":
        return optax.scale_by_adam(b1=config.b1, b2=config.b2)
    # Without iterations it only scales the momentum of a kernel to a norm.
    descent = optax.contrib.muon(
        1.0,
        ns_steps=0,
        adam_b1=config.b1,
        adam_b2=config.b2,
        consistent_rms=0.2,
        muon_weight_dimension_numbers=_matrices,
    )
    return optax.chain(descent, optax.stateless(_ascent))


def _ascent(updates: Params, _: Params | None) -> Params:
    """Orthogonalises the kernels of Muon, keeping their norms, and flips all signs."""

    def ascent(update: jax.Array, matrix: optax.contrib.MuonDimensionNumbers | None):
        if matrix is None:
            return -update
        rows = update.reshape(-1, update.shape[-1])
        norm = jnp.linalg.norm(rows)
        direction = orthogonalize(rows / (norm + _EPSILON))
        return -norm * direction.reshape(update.shape)

    return jax.tree.map(ascent, updates, _matrices(updates))


def _matrices(params: Params) -> PyTree:
    """Matrix view of each kernel for Muon; None where Muon does not apply."""

    def axes(path: tuple, leaf: jax.Array) -> optax.contrib.MuonDimensionNumbers | None:
        if path[-1].key != "kernel" or leaf.shape[-2] == 1:  # depthwise
            return None
        *inputs, outputs = range(leaf.ndim)
        return optax.contrib.MuonDimensionNumbers(tuple(inputs), outputs)

    return jax.tree_util.tree_map_with_path(axes, params)
