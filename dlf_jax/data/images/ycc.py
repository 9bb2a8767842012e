"""Full-range YCbCr (BT.601) to RGB."""

import numpy as np
from jaxtyping import Shaped

from dlf_jax.data.images.picture import bands

_RED, _BLUE = 1.402, 1.772
_GREEN = 0.344136, 0.714136


def from_ycc(
    samples: Shaped[np.ndarray, "H W 3"], top: int
) -> Shaped[np.ndarray, "H W 3"]:
    """Converts YCbCr to RGB, both 0 to `top`; neutral chroma is (top + 1) / 2."""
    result = np.empty_like(samples)
    for rows in bands(*samples.shape[:2]):
        luma, blue, red = np.moveaxis(samples[rows].astype(np.float32), -1, 0)
        blue, red = blue - (top + 1) / 2, red - (top + 1) / 2
        green = luma - _GREEN[0] * blue - _GREEN[1] * red
        rgb = np.stack([luma + _RED * red, green, luma + _BLUE * blue], -1)
        result[rows] = np.clip(rgb + 0.5, 0, top)
    return result
