"""Multi-scale structural similarity."""

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import correlate1d

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_TAPS, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2

# Shorter sides leave less than one window at the coarsest scale.
MIN_SIDE = (_TAPS - 1) * 2 ** (len(_WEIGHTS) - 1) + 1


def ms_ssim(
    image: UInt8[np.ndarray, "H W C"], recon: UInt8[np.ndarray, "H W C"]
) -> float | None:
    """MS-SSIM over five scales, mean over channels.

    Gaussian windows of 11 taps without padding; negative terms count as 0; scales are
    2x2 means, with zeros in front of an odd side, as in the `pytorch_msssim` package.

    Args:
      image, recon: compared images.

    Returns:
      A value in [0, 1], 1 for equal images; None if a side is below `MIN_SIDE`.

    Reference: Wang et al., "Multiscale structural similarity for image quality
    assessment", Asilomar 2003; DLF, architecture spec §16.
    """
    if min(image.shape[:2]) < MIN_SIDE:
        return None
    x, y = (np.float32(a) / np.float32(255) for a in (image, recon))
    product = np.ones(image.shape[2])
    for weight in _WEIGHTS[:-1]:
        _, contrast = ssim_terms(x, y)
        product *= np.maximum(contrast, 0) ** weight
        x, y = _halve(x), _halve(y)
    similarity, _ = ssim_terms(x, y)
    product *= np.maximum(similarity, 0) ** _WEIGHTS[-1]
    return float(product.mean())


def ssim_terms(
    x: Float[np.ndarray, "H W C"], y: Float[np.ndarray, "H W C"]
) -> tuple[Float[np.ndarray, "C"], Float[np.ndarray, "C"]]:
    """SSIM of one scale, and its contrast-structure factor, for each channel.

    Args:
      x, y: images in [0, 1].
    """
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    contrast = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    spatial = (0, 1)
    similarity = (luminance * contrast).mean(spatial, dtype=np.float64)
    return similarity, contrast.mean(spatial, dtype=np.float64)


def _blur(x: np.ndarray) -> np.ndarray:
    """Gaussian mean over every full window."""
    offsets = np.arange(_TAPS) - _TAPS // 2
    window = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    window /= window.sum()
    for axis in (0, 1):
        x = correlate1d(x, window, axis=axis, mode="constant")
        x = x[(slice(None),) * axis + (slice(_TAPS // 2, -(_TAPS // 2)),)]
    return x


def _halve(x: np.ndarray) -> np.ndarray:
    """2x2 means; an odd side gets a zero row in front first."""
    height, width, channels = x.shape
    x = np.pad(x, ((height % 2, 0), (width % 2, 0), (0, 0)))
    x = x.reshape((height + 1) // 2, 2, (width + 1) // 2, 2, channels)
    return x.mean((1, 3))
