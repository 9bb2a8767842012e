"""The training state."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax
from flax import struct

from dlf_jax.paths import flatten
from dlf_jax.training.stages.rules import select
from dlf_jax.typing import Params, PyTree


@struct.dataclass
class TrainState:
    """Arrays that a run needs to resume.

    In place of arrays, a state may also hold shapes or placements.

    Attributes:
      step: int32 scalar, number of updates so far; random numbers depend on it.
      params: parameters, frozen ones included.
      opt_state: optimiser state of the trained parameters.
      ema: moving average of `params`, or None.
      usage: by path of a codebook, float32 [K], how often each entry was chosen since
        the last revival of unused ones; before the first update, `IN_USE` in a codebook
        that an earlier stage has trained.
      rungs: int32 [R], index of the current λ of every rate point in its list; see
        `dlf_jax.training.losses.rate_control`.
    """

    step: PyTree
    params: PyTree
    opt_state: PyTree
    ema: PyTree
    usage: PyTree
    rungs: PyTree


def create_state(
    params: Params,
    tx: optax.GradientTransformation,
    *,
    trained: Sequence[str],
    codebooks: Sequence[str],
    use_ema: bool,
    num_rates: int = 1,
) -> TrainState:
    """Returns the state before the first update.

    Args:
      params: all parameters.
      tx: optimiser of the trained parameters.
      trained: paths of the trained parameters.
      codebooks: paths of the codebooks whose usage is counted.
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
