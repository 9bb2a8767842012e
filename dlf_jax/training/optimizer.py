"""Adam with warm-up, cosine decay, clipping and frozen groups."""

import dataclasses
from typing import Any

import optax

from dlf_jax.training.stages import ADVERSARY, FROZEN, TRAINED, Rules, match_rules


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Settings of the optimiser.

    Attributes:
      learning_rate: peak.
      warmup_steps: steps from 0 to the peak.
      final_factor: learning rate of the last step relative to the peak.
      clip_norm: limit on the norm of the gradient of all trained parameters.
      b1, b2: decay of Adam's moments.
    """

    learning_rate: float
    warmup_steps: int
    final_factor: float
    clip_norm: float
    b1: float
    b2: float


def make_schedule(config: OptimizerConfig, num_steps: int) -> optax.Schedule:
    """Linear warm-up, then half a cosine to ``final_factor * learning_rate``."""
    warmup = min(config.warmup_steps, max(num_steps - 1, 0))
    return optax.warmup_cosine_decay_schedule(
        init_value=0.0 if warmup else config.learning_rate,
        peak_value=config.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(num_steps, 1),
        end_value=config.final_factor * config.learning_rate,
    )


def make_optimizer(
    config: OptimizerConfig, num_steps: int, params: Any, rules: Rules
) -> optax.GradientTransformation:
    """Optimiser of the parameters that `rules` train.

    Frozen parameters get zero updates, no optimiser state, and no part in the norm
    that is clipped.  The discriminator's gradient is clipped by itself.

    Args:
      config: settings.
      num_steps: length of the stage.
      params: parameters, or their shapes.
      rules: see `dlf_jax.training.stages`.

    Raises:
      ValueError: `rules` do not fit `params`.
    """
    adam = optax.chain(
        optax.clip_by_global_norm(config.clip_norm),
        optax.adam(make_schedule(config, num_steps), b1=config.b1, b2=config.b2),
    )
    groups = {TRAINED: adam, ADVERSARY: adam, FROZEN: optax.set_to_zero()}
    return optax.multi_transform(groups, match_rules(params, rules))
