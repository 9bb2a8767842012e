"""Peak signal-to-noise ratio."""

import math

import numpy as np
from jaxtyping import UInt8


def psnr(image: UInt8[np.ndarray, "H W C"], recon: UInt8[np.ndarray, "H W C"]) -> float:
    """10 log10(255² / mean squared error), in dB; infinite for equal images.

    Reference: DLF, architecture spec §16.
    """
    error = np.mean(np.square(image.astype(np.float64) - recon))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)
