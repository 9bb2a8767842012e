"""Bjøntegaard delta rate: mean rate difference of two codecs at equal quality."""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from dlf_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class BDRate:
    """Bjøntegaard delta rate and its quality range.

    Attributes:
      percent: mean rate difference at equal quality; negative if the tested codec
        needs fewer bits.
      low, high: range of qualities that both curves cover.
    """

    percent: float
    low: float
    high: float


def bd_rate(
    anchor_rate: Float[np.ndarray, "M"],
    anchor_quality: Float[np.ndarray, "M"],
    rate: Float[np.ndarray, "N"],
    quality: Float[np.ndarray, "N"],
) -> BDRate:
    """Computes the BD-rate of a rate-quality curve against an anchor.

    The logarithm of the rate is interpolated over quality by monotone cubic pieces
    (PCHIP) and averaged over the qualities that both curves cover, without
    extrapolation.  Quality may be a distance: only its order matters.

    Args:
      anchor_rate, rate: positive, such as bpp, in any order.
      anchor_quality, quality: quality at each rate.

    Raises:
      UserError: a curve has fewer than two points, a point without a finite quality,
        or is not monotone, or the curves have no quality in common.

    Reference: Bjøntegaard, "Calculation of average PSNR differences between RD-curves",
    VCEG-M33, 2001; ITU-T HSTP-VID-WPOM, 2020, for the interpolation.
    """
    curves = [_curve(anchor_rate, anchor_quality), _curve(rate, quality)]
    low = max(float(curve.x[0]) for curve in curves)
    high = min(float(curve.x[-1]) for curve in curves)
    if not low < high:
        raise UserError("the curves have no quality in common: there is no BD-rate")
    anchor, tested = (curve.integrate(low, high) / (high - low) for curve in curves)
    return BDRate(100 * (float(np.exp(tested - anchor)) - 1), low, high)


def _curve(rate: np.ndarray, quality: np.ndarray) -> PchipInterpolator:
    """Logarithm of the rate as a function of quality."""
    if not np.isfinite(quality).all():
        raise UserError("a quality is missing or infinite: there is no BD-rate")
    order = np.argsort(quality)
    rate, quality = np.log(rate[order]), quality[order]
    steps = np.diff(rate)
    if rate.size < 2 or (np.diff(quality) <= 0).any():
        raise UserError("BD-rate needs curves of two or more different qualities")
    if not ((steps > 0).all() or (steps < 0).all()):
        raise UserError("quality does not change monotonically with the rate")
    return PchipInterpolator(quality, rate)
