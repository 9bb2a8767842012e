"""Coding-independent code points (ITU-T H.273): primaries and transfer functions."""

import numpy as np

from dlf_jax.data.images import Unsupported
from dlf_jax.data.images.shaper import (
    D65,
    REC709,
    Curve,
    Shaper,
    matrix_of,
    power,
    srgb_curve,
)

UNSPECIFIED = 2
_C = (0.310, 0.316)
_SMPTE = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_PRIMARIES = {
    1: (REC709, D65),
    4: (((0.67, 0.33), (0.21, 0.71), (0.14, 0.08)), _C),
    5: (((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)), D65),
    6: (_SMPTE, D65),
    7: (_SMPTE, D65),
    8: (((0.681, 0.319), (0.243, 0.692), (0.145, 0.049)), _C),
    9: (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), D65),
    11: (_P3, (0.314, 0.351)),
    12: (_P3, D65),
    22: (((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)), D65),
}
_HDR = {16: "PQ", 18: "HLG"}


def _rec709_curve(code: np.ndarray) -> np.ndarray:
    alpha, beta = 1.099296826809442, 0.018053968510807
    toe = code < 4.5 * beta
    return np.where(toe, code / 4.5, ((code + alpha - 1) / alpha) ** (1 / 0.45))


def _smpte240_curve(code: np.ndarray) -> np.ndarray:
    alpha, beta = 1.111572195921731, 0.022821585529445
    return np.where(
        code < 4 * beta, code / 4, ((code + alpha - 1) / alpha) ** (1 / 0.45)
    )


_CURVES: dict[int, Curve] = {
    **dict.fromkeys((1, 6, 14, 15), _rec709_curve),
    4: power(2.2),
    5: power(2.8),
    7: _smpte240_curve,
    8: power(1.0),
    13: srgb_curve,
    17: power(2.6),
}


def check_sdr(transfer: int) -> None:
    """Rejects transfer functions of high dynamic range; raises Unsupported."""
    if transfer in _HDR:
        raise Unsupported(
            f"is an HDR picture ({_HDR[transfer]}): convert it to SDR, such as sRGB"
        )


def shaper_of(primaries: int, transfer: int, full_range: bool = True) -> Shaper:
    """Returns the colour space of two code points; unspecified means sRGB.

    Args:
      primaries: ColourPrimaries of H.273.
      transfer: TransferCharacteristics of H.273; video curves are inverted camera
        curves, as in browsers.
      full_range: False if black and white are 16 and 235 of 255.

    Raises:
      Unsupported: HDR, or an unsupported code point.
    """
    check_sdr(transfer)
    primaries = 1 if primaries == UNSPECIFIED else primaries
    transfer = 13 if transfer == UNSPECIFIED else transfer
    if primaries not in _PRIMARIES or transfer not in _CURVES:
        raise Unsupported(
            f"has colour primaries {primaries} and transfer function {transfer} of "
            "H.273, which are not supported: convert it to sRGB"
        )
    curve = _CURVES[transfer]
    if not full_range:
        inner, curve = curve, lambda code: inner(np.clip((255 * code - 16) / 219, 0, 1))
    return Shaper((curve,), matrix_of(*_PRIMARIES[primaries]))
