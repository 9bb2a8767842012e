"""Registry of the metrics that compare a reconstruction with its original."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from dlf_jax.errors import UserError
from dlf_jax.metrics import msssim, perceptual
from dlf_jax.metrics.psnr import psnr


@dataclasses.dataclass(frozen=True)
class Metric:
    """A full-reference metric.

    Attributes:
      function: maps uint8 batches (B, H, W, 3) of originals and of reconstructions to
        B values.
      title: name and unit in tables and plots.
      digits: significant decimal places.
      higher_is_better: False for distances.
      min_side: shortest side, in pixels, for which the metric is defined.
      unbounded: equal images have an infinite value, written as null in JSON.
    """

    function: Callable
    title: str
    digits: int
    higher_is_better: bool
    min_side: int
    unbounded: bool = False


# Former name -> name.
_RENAMED = {"lpips": "lpips_alex"}

METRICS = {
    "psnr": Metric(psnr, "PSNR [dB]", 2, True, 1, unbounded=True),
    "ms_ssim": Metric(msssim.ms_ssim, "MS-SSIM", 4, True, msssim.MIN_SIDE),
    "lpips_alex": Metric(
        functools.partial(perceptual.lpips, net="alex"), "LPIPS-Alex", 4, False, 32
    ),
    "lpips_vgg": Metric(
        functools.partial(perceptual.lpips, net="vgg"), "LPIPS-VGG", 4, False, 16
    ),
    "dists": Metric(perceptual.dists, "DISTS", 4, False, 16),
}


def parse_metrics(text: str) -> list[str]:
    """Reads metric names separated by commas; duplicates count once.

    Raises:
      UserError: a name is not in `METRICS`.
    """
    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        if name in _RENAMED:
            raise UserError(f"metric {name!r} was renamed: use {_RENAMED[name]!r}")
        if name not in METRICS:
            raise UserError(
                f"there is no metric {name!r}: use one of {', '.join(METRICS)}"
            )
    return names


def measure(
    image: UInt8[np.ndarray, "H W 3"],
    recon: UInt8[np.ndarray, "H W 3"],
    names: Iterable[str],
) -> dict[str, float | None]:
    """Computes the named metrics of one pair; None where a side is too short.

    Raises:
      UserError: weights are missing and cannot be fetched.
    """
    side = min(image.shape[:2])
    return {
        name: float(METRICS[name].function(image[None], recon[None])[0])
        if side >= METRICS[name].min_side
        else None
        for name in names
    }


def restored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Restores the infinite values that JSON stores as null."""
    return {
        name: math.inf
        if value is None and name in METRICS and METRICS[name].unbounded
        else value
        for name, value in values.items()
    }
