"""Peak signal-to-noise ratio."""

import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float, UInt8


@jax.jit
def psnr(
    image: UInt8[Array, "B H W C"], recon: UInt8[Array, "B H W C"]
) -> Float[Array, "B"]:
    """10 log10(255² / mean squared error), in dB; infinite for equal images.

    Reference: docs/architecture.md#evaluation-metrics.
    """
    error = jnp.square(image.astype(jnp.int32) - recon)
    # Integer sums along the shorter side are exact and fit into 32 bits.
    axis = 1 if image.shape[1] < image.shape[2] else 2
    lines = jnp.sum(error, axis=(axis, 3), dtype=jnp.uint32).astype(jnp.float32)
    count = image.shape[axis] * image.shape[3]
    return 10 * jnp.log10(255.0**2 * count / jnp.mean(lines, axis=1))
