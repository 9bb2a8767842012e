"""Gradient accumulation: a batch in parts, with the mean of their results."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from dlf_jax.training.losses.image import Outcome
from dlf_jax.training.step.draws import Draws
from dlf_jax.typing import Array, Float


def accumulate(
    gradient: Callable[[Array, Draws], tuple[Outcome, Any]],
    image: Float[Array, "B H W 3"],
    draws: Draws,
    *,
    num_parts: int,
) -> tuple[Outcome, Any]:
    """Outcome and gradient of a batch, computed part by part.

    Image b is in part b mod `num_parts`: where the batch is split over devices, each
    has an equal share of every part.

    Args:
      gradient: (images, draws) -> outcome and gradient of a part.
      image: the batch; `num_parts` divides its size.
      draws: of the batch.
      num_parts: number of parts; memory for activations is that of one.

    Returns:
      Means over the parts of loss, metrics, statistics and gradient; what belongs to
      single images, for all of them in their order.
    """
    if num_parts == 1:
        return gradient(image, draws)

    def split(x: Array) -> Array:
        return x.reshape(-1, num_parts, *x.shape[1:]).swapaxes(0, 1)

    def join(x: Array) -> Array:
        return x.swapaxes(0, 1).reshape(-1, *x.shape[2:])

    def means(outcome: Outcome, grads: Any) -> Any:
        return outcome.loss, outcome.metrics, outcome.statistics, grads

    def add_part(total: Any, part: Any) -> tuple[Any, Any]:
        outcome, grads = gradient(*part)
        total = jax.tree.map(
            lambda a, b: a + b / num_parts, total, means(outcome, grads)
        )
        return total, (outcome.codes, outcome.bpp)

    parts = jax.tree.map(split, (image, draws))
    shapes = jax.eval_shape(gradient, *jax.tree.map(lambda x: x[0], parts))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), means(*shapes))
    total, single = jax.lax.scan(add_part, zeros, parts)
    loss, metrics, statistics, grads = total
    codes, bpp = jax.tree.map(join, single)
    return Outcome(loss, metrics, codes, bpp, statistics), grads
