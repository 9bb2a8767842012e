"""LPIPS of 8-bit images."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.perceptual.weights import load_lpips_params
from dlf_jax.typing import UInt8

# The feature network reduces shorter sides to nothing.
MIN_SIDE = 32


def lpips_alex(
    image: UInt8[np.ndarray, "H W 3"], recon: UInt8[np.ndarray, "H W 3"]
) -> float | None:
    """LPIPS v0.1 with AlexNet features, the field's perceptual distance.

    Args:
      image, recon: compared images.

    Returns:
      A distance, 0 for equal images; None if a side is below `MIN_SIDE`.

    Raises:
      UserError: the weights are not there and cannot be fetched.

    Reference: DLF, architecture spec §16.
    """
    if min(image.shape[:2]) < MIN_SIDE:
        return None
    params, distance = _network()
    batch = (np.float32(a)[None] / np.float32(127.5) - 1 for a in (image, recon))
    return float(distance(params, *batch)[0])


@functools.cache
def _network():
    """Parameters and the compiled distance of two batches in [-1, 1]."""
    params = jax.tree.map(jnp.asarray, load_lpips_params("alex"))
    network = LPIPS(net="alex")
    return params, jax.jit(lambda p, a, b: network.apply({"params": p}, a, b))
