"""The training state and how it is made."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from dlf_jax.paths import flatten
from dlf_jax.training.stages.table import select


@struct.dataclass
class TrainState:
    """All that a run needs to continue.

    The fields are not typed: a state may also hold shapes or placements.

    Attributes:
      step: int32 scalar, updates made so far; data order and random numbers follow.
      params: parameters, frozen ones included.
      opt_state: optimiser state of the trained ones.
      ema: moving average of `params`, or None.
      usage: by path of a codebook, float32 [K], picks of every entry since unused ones
        were last revived; before the first update, `IN_USE` in a codebook that an
        earlier stage has trained.
      rungs: int32 [R], index of the λ in force for every rate point; see
        `dlf_jax.training.losses.rate_control`.
    """

    step: Any
    params: Any
    opt_state: Any
    ema: Any
    usage: Any
    rungs: Any


def create_state(
    params: Any,
    tx: optax.GradientTransformation,
    *,
    trained: Sequence[str],
    codebooks: Sequence[str],
    use_ema: bool,
    num_rates: int = 1,
) -> TrainState:
    """State before the first update.

    Args:
      params: all parameters.
      tx: optimiser of the trained ones.
      trained: their paths.
      codebooks: paths of the codebooks whose use is counted.
      use_ema: whether a moving average is kept.
      num_rates: rate points; each starts at its first λ.
    """
    leaves = flatten(params)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=tx.init(select(params, trained)),
        ema=jax.tree.map(jnp.copy, params) if use_ema else None,
        usage={path: jnp.zeros(leaves[path].shape[0]) for path in codebooks},
        rungs=jnp.zeros(num_rates, jnp.int32),
    )
