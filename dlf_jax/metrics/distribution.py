"""Distances between the feature distributions of two sets of images."""

import numpy as np
from jaxtyping import Float, UInt8

PATCH = 256


def patches(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "N 256 256 3"]:
    """Cuts an image into patches of two grids, shifted by half a patch.

    The first grid starts at the top left corner; incomplete patches are omitted.  The
    second grid requires sides of at least one and a half patches.

    Reference: Mentzer et al., "High-Fidelity Generative Image Compression", NeurIPS
    2020, appendix; docs/architecture.md#evaluation-metrics.
    """
    half = PATCH // 2
    starts = [0] if min(image.shape[:2]) < PATCH + half else [0, half]
    found = [
        image[top : top + PATCH, left : left + PATCH]
        for start in starts
        for top in range(start, image.shape[0] - PATCH + 1, PATCH)
        for left in range(start, image.shape[1] - PATCH + 1, PATCH)
    ]
    return np.stack(found) if found else np.empty((0, PATCH, PATCH, 3), np.uint8)


def frechet_distance(x: Float[np.ndarray, "M D"], y: Float[np.ndarray, "N D"]) -> float:
    """Fréchet distance: squared 2-Wasserstein distance of two fitted Gaussians.

    With the pool3 features of InceptionV3, and only with these, the distance is FID.
    The distance depends on the number of samples: compare only sets of equal sizes.

    Args:
      x, y: features of each set; at least two rows each.

    Reference: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to
    a Local Nash Equilibrium", NeurIPS 2017.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    cov_x, cov_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    # The trace of sqrt(cov_x cov_y), through a symmetric matrix with its eigenvalues.
    values, vectors = np.linalg.eigh(cov_x)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_y @ root), 0)).sum()
    shift = np.square(x.mean(0) - y.mean(0)).sum()
    return float(shift + np.trace(cov_x) + np.trace(cov_y) - 2 * cross)


def kernel_distance(x: Float[np.ndarray, "M D"], y: Float[np.ndarray, "N D"]) -> float:
    """Kernel distance: squared maximum mean discrepancy for (a·b / D + 1)³.

    The estimate over all pairs is unbiased, so that its mean does not depend on the
    number of samples; it can be negative.  With InceptionV3's features it is KID.

    Args:
      x, y: features of each set; at least two rows each.

    Reference: Bińkowski et al., "Demystifying MMD GANs", ICLR 2018.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    within = 0.0
    for a in (x, y):
        pairs = kernel(a, a)
        within += (pairs.sum() - np.trace(pairs)) / (len(a) * (len(a) - 1))
    return float(within - 2 * kernel(x, y).mean())
