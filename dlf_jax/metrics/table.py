"""Every metric that compares a picture with its original."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from dlf_jax.metrics import msssim, perceptual
from dlf_jax.metrics.psnr import psnr


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
      function: uint8 batches (B, H, W, 3) of originals and of pictures to B values.
      title: for people.
      digits: as many as mean something.
      higher_is_better: or else it is a distance.
      min_side: of an image, in pixels; without a value below.
      unbounded: equal pictures have an infinite value, which JSON has as null.
    """

    function: Callable
    title: str
    digits: int
    higher_is_better: bool
    min_side: int
    unbounded: bool = False


METRICS = {
    "psnr": Metric(psnr, "PSNR [dB]", 2, True, 1, unbounded=True),
    "ms_ssim": Metric(msssim.ms_ssim, "MS-SSIM", 4, True, msssim.MIN_SIDE),
    "lpips": Metric(
        functools.partial(perceptual.lpips, net="alex"), "LPIPS-Alex", 4, False, 32
    ),
    "lpips_vgg": Metric(
        functools.partial(perceptual.lpips, net="vgg"), "LPIPS-VGG", 4, False, 16
    ),
    "dists": Metric(perceptual.dists, "DISTS", 4, False, 16),
}


def measure(
    image: UInt8[np.ndarray, "H W 3"],
    recon: UInt8[np.ndarray, "H W 3"],
    names: Iterable[str],
) -> dict[str, float | None]:
    """Values of the named metrics for one pair; None where a side is too short.

    Raises:
      UserError: weights are not there and cannot be fetched.
    """
    side = min(image.shape[:2])
    return {
        name: float(METRICS[name].function(image[None], recon[None])[0])
        if side >= METRICS[name].min_side
        else None
        for name in names
    }


def restored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name as they were before JSON made null of the infinite ones."""
    return {
        name: math.inf
        if value is None and name in METRICS and METRICS[name].unbounded
        else value
        for name, value in values.items()
    }
