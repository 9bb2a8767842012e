"""Stops training with a useful message when a value is not finite."""

import math
from collections.abc import Sequence

import jax
import numpy as np

from dlf_jax.training.step.train_step import Metrics


def check_finite(
    means: dict[str, float], pending: Sequence[Metrics], step: int
) -> None:
    """Raises at the first step with a value that is not finite.

    The metrics of a step depend on the parameters before it, and its gradients decide
    on the parameters after it: if all of them are finite, so is the state.

    Args:
      means: means of the metrics over the pending steps.
      pending: metrics of every step since the last check, on the devices.
      step: number of the last pending step.

    Raises:
      FloatingPointError: names the step and the cause: terms of the loss or, if the
        loss is finite, modules whose gradient is not.
    """
    if all(map(math.isfinite, means.values())):
        return
    first = step - len(pending) + 1
    for number, metrics in enumerate(jax.device_get(list(pending)), start=first):
        broken = [name for name, x in metrics.items() if not np.isfinite(x).all()]
        if broken:
            raise FloatingPointError(f"step {number}: {_cause(broken)}")


def _cause(broken: Sequence[str]) -> str:
    gradients = [n for n in broken if n.startswith("gradient/")]
    terms = [n for n in broken if n not in (*gradients, "loss")]
    if terms:
        return f"not finite: {', '.join(terms)}"
    if "loss" in broken:
        return "the loss is not finite, though all of its terms are"
    modules = ", ".join(name.removeprefix("gradient/") for name in gradients)
    return f"the gradient of {modules} is not finite, though the loss is"
