"""The adversarial term of the image stages: both players from one forward pass."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from dlf_jax.paths import flatten, nest
from dlf_jax.perceptual.discriminator import PatchDiscriminator
from dlf_jax.training.losses import terms as objectives
from dlf_jax.typing import Array, Float

_LAST_KERNEL = "vqgan/decoder/conv_out/kernel"


@struct.dataclass
class Adversarial:
    """What the discriminator adds to the loss of a batch.

    Attributes:
      loss: weighted term of the decoder plus that of the discriminator.
      metrics: its parts.
      statistics: new running statistics, by path.
    """

    loss: Float[Array, ""]
    metrics: dict[str, Float[Array, ""]]
    statistics: dict[str, Array]


def adversarial_terms(
    judge: PatchDiscriminator,
    params: Any,
    decode: Callable[[Any, Array], Array],
    image_loss: Callable[[Array], Array],
    latent: Float[Array, "B h w E"],
    target: Float[Array, "B H W 3"],
    recon: Float[Array, "B H W 3"],
    weight: Float[Array, ""],
) -> Adversarial:
    """Hinge loss of the discriminator, and the decoder's share.

    See docs/architecture.md#image-loss.

    Args:
      judge: the discriminator; its variables are ``params["discriminator"]``.
      params: parameters of the stage.
      decode: (parameters, latent) -> image; runs once more on constants, which the
        compiler finds to be what it has already.
      image_loss: the other image terms of a reconstruction.
      latent: what was decoded.
      target, recon: the images that belong to it.
      weight: of the adversarial term, on top of the adaptive weight; at 0 the
        discriminator does not learn either.
    """
    fixed, fixed_latent = jax.lax.stop_gradient((params, latent))

    def terms(kernel: Array) -> tuple[Array, Array]:
        """Both image terms as functions of the decoder's last kernel."""
        flat = flatten(fixed) | {_LAST_KERNEL: kernel}
        recon = decode(nest(flat), fixed_latent)
        logits, _ = _judge(judge, fixed["discriminator"], recon)
        return image_loss(recon), objectives.generator_loss(logits)

    _, pull = jax.vjp(terms, flatten(fixed)[_LAST_KERNEL])
    adaptive = weight * objectives.adaptive_weight(*pull((1.0, 0.0)), *pull((0.0, 1.0)))
    # Three passes, as three batches move the released running statistics.
    logits, variables = _judge(judge, fixed["discriminator"], recon)
    generator = objectives.generator_loss(logits)
    variables = {**params["discriminator"], **variables}
    real, variables = _judge(judge, variables, target)
    variables = {**params["discriminator"], **variables}
    fake, variables = _judge(judge, variables, jax.lax.stop_gradient(recon))
    discriminator = objectives.hinge_loss(real, fake)
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


def _judge(
    judge: PatchDiscriminator, variables: Any, image: Array
) -> tuple[Array, Mapping[str, Any]]:
    """Logits of an image, and the running statistics after it."""
    return judge.apply(variables, image, train=True, mutable=["batch_stats"])
