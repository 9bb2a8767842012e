"""Multi-scale structural similarity."""

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.typing import Array, Float, UInt8

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_TAPS, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2

# Shorter sides would be smaller than a window at the coarsest scale.
MIN_SIDE = (_TAPS - 1) * 2 ** (len(_WEIGHTS) - 1) + 1


@jax.jit
def ms_ssim(
    image: UInt8[Array, "B H W C"], recon: UInt8[Array, "B H W C"]
) -> Float[Array, "B"]:
    """MS-SSIM over five scales, mean over channels; 1 for equal images.

    As in the `pytorch_msssim` package: Gaussian windows of 11 taps without padding,
    negative terms clipped to 0, scales by 2x2 means with zeros before an odd side.

    Args:
      image, recon: images to compare, sides of at least `MIN_SIDE`.

    Reference: Wang et al., "Multiscale structural similarity for image quality
    assessment", Asilomar 2003; docs/architecture.md#evaluation-metrics.
    """
    x, y = (v.astype(jnp.float32) / 255 for v in (image, recon))
    factors = []
    for _ in _WEIGHTS[:-1]:
        factors.append(ssim_terms(x, y)[1])
        x, y = _halve(x), _halve(y)
    factors.append(ssim_terms(x, y)[0])
    weighted = [jnp.maximum(f, 0) ** w for f, w in zip(factors, _WEIGHTS, strict=True)]
    return jnp.mean(jnp.prod(jnp.stack(weighted), axis=0), axis=-1)


def ssim_terms(
    x: Float[Array, "B H W C"], y: Float[Array, "B H W C"]
) -> tuple[Float[Array, "B C"], Float[Array, "B C"]]:
    """SSIM of one scale and its contrast-structure factor, per channel.

    Args:
      x, y: images in [0, 1].
    """
    moments = _blur(jnp.stack([x, y, x * x, y * y, x * y]))
    mean_x, mean_y, square_x, square_y, product = moments
    variances = square_x - mean_x**2 + square_y - mean_y**2
    covariance = product - mean_x * mean_y
    contrast = (2 * covariance + _C2) / (variances + _C2)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    area = (1, 2)
    return jnp.mean(luminance * contrast, area), jnp.mean(contrast, area)


def _blur(x: Float[Array, "M B H W C"]) -> Float[Array, "M B h w C"]:
    """Gaussian mean of every complete window."""
    offsets = np.arange(_TAPS) - _TAPS // 2
    window = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    window /= window.sum()
    for axis in (2, 3):
        size = x.shape[axis] - _TAPS + 1
        x = sum(
            float(weight) * jax.lax.slice_in_dim(x, start, start + size, axis=axis)
            for start, weight in enumerate(window)
        )
    return x


def _halve(x: Float[Array, "B H W C"]) -> Float[Array, "B h w C"]:
    """2x2 means; an odd side is padded with zeros in front."""
    batch, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (height % 2, 0), (width % 2, 0), (0, 0)))
    x = x.reshape(batch, (height + 1) // 2, 2, (width + 1) // 2, 2, channels)
    return jnp.mean(x, (2, 4))
