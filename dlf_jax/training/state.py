"""The training state and how it is made."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from dlf_jax.training.stages import path_names


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
        were last revived.
    """

    step: Any
    params: Any
    opt_state: Any
    ema: Any
    usage: Any


def create_state(
    params: Any,
    tx: optax.GradientTransformation,
    *,
    codebooks: tuple[str, ...],
    use_ema: bool,
) -> TrainState:
    """State before the first update."""
    leaves = path_names(params)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=tx.init(params),
        ema=jax.tree.map(jnp.copy, params) if use_ema else None,
        usage={path: jnp.zeros(leaves[path].shape[0]) for path in codebooks},
    )
