"""The image loss: terms of a decoded latent, and the discriminator."""

from collections.abc import Callable

from dlf_jax.perceptual.discriminator import PatchDiscriminator
from dlf_jax.training.losses import terms
from dlf_jax.training.losses.adversary import adversarial_terms
from dlf_jax.training.losses.output import LossOutput
from dlf_jax.training.losses.table import (
    IMAGE_TERMS,
    ImagePair,
    LossConfig,
    weighted_sum,
)
from dlf_jax.training.step.inputs import StepInputs
from dlf_jax.typing import Array, Float, Int, Params


def add_image_loss(
    output: LossOutput,
    config: LossConfig,
    inputs: StepInputs,
    params: Params,
    decode: Callable[[Params, Array], Array],
    corners: Int[Array, "B 2"],
    latent: Float[Array, "B h w E"],
    image: Float[Array, "B H W 3"],
) -> LossOutput:
    """Adds the image loss, with the discriminator if there is one.

    See docs/architecture.md#image-loss.

    Args:
      output: the other terms.
      config: weights of the terms.
      inputs: parameters of the frozen networks, and share of the adversarial term.
      params: parameters of the stage.
      decode: (parameters, latent) -> reconstruction in [-1, 1].
      corners: upper left corners of the squares that the expensive networks compare.
      latent: the latent to decode.
      image: the image in [-1, 1] that belongs to `latent`.
    """
    cell = image.shape[1] // latent.shape[1]
    few = slice(config.perceptual_images or None)

    def image_terms(recon: Array) -> tuple[Array, dict[str, Array]]:
        crops = terms.crop_pairs(
            corners[few], image[few], recon[few], config.perceptual_crop
        )
        pair = ImagePair(image, recon, crops, cell)
        return weighted_sum(IMAGE_TERMS, config, pair, inputs.networks)

    recon = decode(params, latent)
    value, metrics = image_terms(recon)
    output = output.replace(loss=output.loss + value, metrics=output.metrics | metrics)
    if not config.adversarial:
        return output
    added = adversarial_terms(
        _discriminator(config),
        params,
        decode,
        lambda recon: image_terms(recon)[0],
        latent,
        image,
        recon,
        config.adversarial * inputs.adversarial,
    )
    return output.replace(
        loss=output.loss + added.loss,
        metrics=output.metrics | added.metrics,
        statistics=added.statistics,
    )


def with_discriminator(
    config: LossConfig, params: Params, key: Array, image: Float[Array, "B H W 3"]
) -> Params:
    """Adds the variables of the discriminator if the loss has one."""
    if config.adversarial:
        variables = _discriminator(config).init(key, image, train=True)
        params = {**params, "discriminator": variables}
    return params


def _discriminator(config: LossConfig) -> PatchDiscriminator:
    return PatchDiscriminator(
        config.discriminator_channels, config.discriminator_images
    )
