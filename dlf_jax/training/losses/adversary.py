"""Adversarial term of the image loss: both players from one forward pass."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct

from dlf_jax.paths import flatten, nest
from dlf_jax.perceptual.discriminator import PatchDiscriminator
from dlf_jax.training.losses.terms import (
    adaptive_weight,
    generator_loss,
    hinge_loss,
)
from dlf_jax.typing import Array, Float, Params

_LAST_KERNEL = "vqgan/decoder/conv_out/kernel"


@struct.dataclass
class Adversarial:
    """Contribution of the discriminator to the loss of a batch.

    Attributes:
      loss: weighted term of the decoder plus the loss of the discriminator.
      metrics: terms and logits by name.
      statistics: new running statistics of the discriminator, by path.
    """

    loss: Float[Array, ""]
    metrics: dict[str, Float[Array, ""]]
    statistics: dict[str, Array]


def adversarial_terms(
    network: PatchDiscriminator,
    params: Params,
    decode: Callable[[Params, Array], Array],
    image_loss: Callable[[Array], Array],
    latent: Float[Array, "B h w E"],
    target: Float[Array, "B H W 3"],
    recon: Float[Array, "B H W 3"],
    weight: Float[Array, ""],
) -> Adversarial:
    """Computes the hinge loss of the discriminator and the term of the decoder.

    See docs/architecture.md#image-loss.

    Args:
      network: the discriminator; its variables are ``params["discriminator"]``.
      params: parameters of the stage.
      decode: (parameters, latent) -> image; called twice with equal values, which the
        compiler merges.
      image_loss: the other image terms of a reconstruction.
      latent: the decoded latent.
      target, recon: original and reconstruction.
      weight: factor beside the adaptive weight; at 0 the discriminator is not trained
        either.
    """
    fixed, fixed_latent = jax.lax.stop_gradient((params, latent))

    def terms(kernel: Array) -> tuple[Array, Array]:
        """Both parts of the image loss as functions of the decoder's last kernel."""
        flat = flatten(fixed) | {_LAST_KERNEL: kernel}
        recon = decode(nest(flat), fixed_latent)
        logits, _ = _logits(network, fixed["discriminator"], recon)
        return image_loss(recon), generator_loss(logits)

    _, pull = jax.vjp(terms, flatten(fixed)[_LAST_KERNEL])
    adaptive = weight * adaptive_weight(*pull((1.0, 0.0)), *pull((0.0, 1.0)))
    # The running statistics move three times a step, as in the released training.
    logits, variables = _logits(network, fixed["discriminator"], recon)
    generator = generator_loss(logits)
    variables = {**params["discriminator"], **variables}
    real, variables = _logits(network, variables, target)
    variables = {**params["discriminator"], **variables}
    fake, variables = _logits(network, variables, jax.lax.stop_gradient(recon))
    discriminator = hinge_loss(real, fake)
    return Adversarial(
        loss=adaptive * generator + jnp.where(weight > 0, discriminator, 0.0),
        metrics={
            "generator": generator,
            "discriminator": discriminator,
            "adversarial_weight": adaptive,
            "logits/real": jnp.mean(real),
            "logits/fake": jnp.mean(fake),
        },
        statistics=flatten({"discriminator": variables}),
    )


def _logits(
    network: PatchDiscriminator, variables: Params, image: Array
) -> tuple[Array, Params]:
    """Logits of an image, and updated running statistics."""
    return network.apply(variables, image, train=True, mutable=["batch_stats"])
