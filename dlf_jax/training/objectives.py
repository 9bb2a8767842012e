"""Losses of all stages: pure functions of arrays, one value per image or element."""

import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float, Int

_COMMITMENT = 0.25


def vq_loss(
    codebook_loss: Float[Array, ""], commitment_loss: Float[Array, ""]
) -> Float[Array, ""]:
    """Codebook term plus a quarter of the commitment term (spec §8)."""
    return codebook_loss + _COMMITMENT * commitment_loss


def absolute_error(
    image: Float[Array, "B H W 3"], recon: Float[Array, "B H W 3"]
) -> Float[Array, "B"]:
    """Mean |image − recon| of each image."""
    return jnp.mean(jnp.abs(image - recon), axis=(1, 2, 3))


def squared_error(
    latent: Float[Array, "B h w E"], target: Float[Array, "B h w E"]
) -> Float[Array, "B"]:
    """Mean squared difference of each image's latents."""
    return jnp.mean(jnp.square(latent - target), axis=(1, 2, 3))


def code_cross_entropy(
    logits: Float[Array, "B h w K"], codes: Int[Array, "B h w"]
) -> Float[Array, "B"]:
    """Cross-entropy in nats of the true codes, averaged over the cells of an image."""
    log_probs = jax.nn.log_softmax(logits)
    picked = jnp.take_along_axis(log_probs, codes[..., None], axis=-1)
    return -jnp.mean(picked, axis=(1, 2, 3))


def weighted_rate(
    bits: Float[Array, "B"],
    rate: Int[Array, "B"],
    lmbda: Float[Array, "R"],
    num_pixels: int,
) -> Float[Array, "B"]:
    """λ of an image's rate point times its bits per pixel.

    Args:
      bits: estimated bits of each image's detail latent.
      rate: index of each image's rate point.
      lmbda: rate weight of every rate point.
      num_pixels: pixels of one image as given to the encoder.
    """
    return lmbda[rate] * bits / num_pixels


def random_crops(
    key: Array,
    image: Float[Array, "B H W 3"],
    recon: Float[Array, "B H W 3"],
    size: int,
) -> tuple[Float[Array, "B S S 3"], Float[Array, "B S S 3"]]:
    """The same random square of an image and its reconstruction.

    A deep feature network on a random part of a crop has the same expected loss at a
    fraction of the cost.

    Args:
      key: PRNG key.
      image, recon: equal shapes, sides of at least `size`.
      size: side of the square; returns the inputs when it covers them.
    """
    height, width = image.shape[1:3]
    if size >= max(height, width):
        return image, recon
    tops, lefts = (
        jax.random.randint(k, image.shape[:1], 0, side - size + 1)
        for k, side in zip(jax.random.split(key), (height, width), strict=True)
    )

    def crop(x, top, left):
        return jax.lax.dynamic_slice(x, (top, left, 0), (size, size, 3))

    crops = jax.vmap(crop)
    return crops(image, tops, lefts), crops(recon, tops, lefts)
