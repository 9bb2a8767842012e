"""Peak signal-to-noise ratio."""

import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float, UInt8


@jax.jit
def psnr(
    image: UInt8[Array, "B H W C"], recon: UInt8[Array, "B H W C"]
) -> Float[Array, "B"]:
    """10 log10(255² / mean squared error), in dB; infinite for equal images.

    Reference: DLF, architecture spec §16.
    """
    error = jnp.square(image.astype(jnp.int32) - recon)
    # Rows are summed in integers, without rounding.
    rows = jnp.sum(error, axis=(2, 3)).astype(jnp.float32)
    return 10 * jnp.log10(255**2 * error[0, 0].size / jnp.mean(rows, axis=1))
