"""Gradient accumulation: a batch in parts, with the mean of their results."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from dlf_jax.training.losses.output import LossOutput
from dlf_jax.training.step.randomness import StepRandomness
from dlf_jax.typing import Array, Float, Params, PyTree


def accumulate(
    gradient: Callable[[Array, StepRandomness], tuple[LossOutput, Params]],
    image: Float[Array, "B H W 3"],
    random: StepRandomness,
    *,
    num_parts: int,
) -> tuple[LossOutput, Params]:
    """Computes loss and gradient of a batch part by part.

    Image b is in part b mod `num_parts`: where the batch is split over devices, each
    has an equal share of every part.

    Args:
      gradient: (images, random numbers) -> loss and gradient of a part.
      image: the batch; `num_parts` divides its size.
      random: random numbers of the batch.
      num_parts: number of parts; activations take the memory of one part.

    Returns:
      Means over the parts of loss, metrics, statistics and gradient; values of single
      images are those of all images in order.
    """
    if num_parts == 1:
        return gradient(image, random)

    def split(x: Array) -> Array:
        return x.reshape(-1, num_parts, *x.shape[1:]).swapaxes(0, 1)

    def join(x: Array) -> Array:
        return x.swapaxes(0, 1).reshape(-1, *x.shape[2:])

    def averaged(output: LossOutput, grads: Params) -> PyTree:
        return output.loss, output.metrics, output.statistics, grads

    def add_part(total: PyTree, part: PyTree) -> tuple[PyTree, PyTree]:
        output, grads = gradient(*part)
        total = jax.tree.map(
            lambda a, b: a + b / num_parts, total, averaged(output, grads)
        )
        return total, (output.codes, output.bpp)

    parts = jax.tree.map(split, (image, random))
    shapes = jax.eval_shape(gradient, *jax.tree.map(lambda x: x[0], parts))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), averaged(*shapes))
    total, single = jax.lax.scan(add_part, zeros, parts)
    loss, metrics, statistics, grads = total
    codes, bpp = jax.tree.map(join, single)
    return LossOutput(loss, metrics, codes, bpp, statistics), grads
