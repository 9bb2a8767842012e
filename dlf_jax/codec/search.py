"""The rate that fits a target, by bisection.

Size and quality grow with the rate, apart from small dents.  The result always keeps to
the target; beside a dent, another rate may be a little better.
"""

import bisect
import functools
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from dlf_jax.codec.goal import Goal
from dlf_jax.entropy_coding.rates import Number
from dlf_jax.errors import UserError


@runtime_checkable
class Trial(Protocol):
    """An image, encoded at one rate.

    Attributes:
      data: the bytes that a target counts.
    """

    data: bytes

    def picture(self) -> UInt8[np.ndarray, "H W 3"]:
        """The decoded image."""


def search(
    goal: Goal,
    image: UInt8[np.ndarray, "H W 3"],
    rates: Sequence[Number],
    encode: Callable[[Number], Trial],
) -> Trial:
    """The best picture of a size, or the smallest file of a quality.

    Args:
      goal: has a target.
      image: the image.
      rates: all rates of the model, ascending.
      encode: encodes the image at a rate.

    Raises:
      UserError: no rate keeps to the target, or the image is too small for the metric.
    """
    encode = functools.cache(encode)
    if goal.target_bytes is not None:
        return _best_within(goal.target_bytes, rates, encode)
    if goal.target_bpp is not None:
        height, width, _ = image.shape
        return _best_within(int(goal.target_bpp * height * width / 8), rates, encode)
    targets = {
        "psnr": goal.target_psnr,
        "lpips_alex": goal.target_lpips,
        "dists": goal.target_dists,
    }
    ((name, value),) = (item for item in targets.items() if item[1] is not None)
    return _smallest_reaching(name, value, image, rates, encode)


def _best_within(
    num_bytes: int, rates: Sequence[Number], encode: Callable[[Number], Trial]
) -> Trial:
    fitting = bisect.bisect_right(rates, num_bytes, key=lambda r: len(encode(r).data))
    if not fitting:
        raise UserError(
            f"the image takes {len(encode(rates[0]).data)} bytes at the lowest rate, "
            f"not {num_bytes}: use a higher target or a smaller image"
        )
    return encode(rates[fitting - 1])


def _smallest_reaching(
    name: str,
    target: Number,
    image: UInt8[np.ndarray, "H W 3"],
    rates: Sequence[Number],
    encode: Callable[[Number], Trial],
) -> Trial:
    from dlf_jax.metrics.table import METRICS, measure

    metric = METRICS[name]
    if min(image.shape[:2]) < metric.min_side:
        raise UserError(
            f"{metric.title} needs sides of {metric.min_side} pixels: use another "
            "target, or a larger image"
        )
    sign = 1 if metric.higher_is_better else -1

    @functools.cache
    def quality(rate):
        return sign * measure(image, encode(rate).picture(), (name,))[name]

    first = bisect.bisect_left(rates, sign * target, key=quality)
    if first == len(rates):
        best = f"{sign * quality(rates[-1]):.{metric.digits}f}"
        raise UserError(
            f"{metric.title} is {best} at the highest rate, not {target:g}: use a "
            f"{'lower' if metric.higher_is_better else 'higher'} target"
        )
    return encode(rates[first])
