"""Losses put together: the weights of the terms, and what an image costs."""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from dlf_jax.nn.vector_quantizer import VQOutput
from dlf_jax.perceptual.discriminator import PatchDiscriminator
from dlf_jax.perceptual.dists import DISTS
from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.training.losses import terms as objectives
from dlf_jax.training.losses.adversary import adversarial_terms
from dlf_jax.typing import Array, Float, Int


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms.

    Attributes:
      l1, lpips: of the image loss (docs/architecture.md#image-loss); LPIPS is that
        of VGG16, and 0 leaves it out.
      lpips_alex: of LPIPS-AlexNet on everything decoded, which costs a twentieth of
        the other on as many pixels; 0 leaves it out.
      dists: of DISTS on what LPIPS-VGG sees, which asks for the texture of the original
        rather than for its pixels; 0 leaves it out.
      blockiness: of the grid of cells that shows in an image; 0 leaves it out.
      latent, cross_entropy: of the alignment loss
        (docs/architecture.md#alignment-loss).
      continuous_target: the latent term asks for the VQGAN's latent before its
        quantiser, and not for the code; with a codebook that is trained, codes as
        targets would shrink it.
      codebook: of the quantiser's own terms.
      uniformity: of the likeness of tiles' token vectors before their quantiser; small
        models fall for saying the same of all.  Tiles are compared in groups of eight
        images, or the largest divisor of eight that divides their number.
      continuous_share: of the images, decoded without the VQGAN's quantiser.
      decode_crop: side in pixels of the random square that the joint codec decodes for
        the image loss, a multiple of the cell; 0 decodes everything.
      adversarial: of the adversarial term, which is also scaled so that it pulls at the
        decoder's last layer as hard as the others; 0 leaves the discriminator out.
      discriminator_channels: width of the discriminator's first layer.
      discriminator_images: so many images normalise together in the discriminator, as
        those of one device do in the released training; 0 stands for all of a step.
      lpips_crop: side of the random square that LPIPS-VGG and DISTS see, at least 16.
      lpips_images: they see this many images of a batch, or of each of the parts that
        it is taken in (`accumulate`); 0 stands for all.
      lpips_channel_divisor: of these networks; their weights are random unless 1.
    """

    l1: float = 1.0
    lpips: float = 1.0
    lpips_alex: float = 0.0
    dists: float = 0.0
    blockiness: float = 0.0
    latent: float = 1.0
    cross_entropy: float = 0.25
    continuous_target: bool = False
    codebook: float = 1.0
    uniformity: float = 0.0
    continuous_share: float = 0.0
    decode_crop: int = 0
    adversarial: float = 0.0
    discriminator_channels: int = 64
    discriminator_images: int = 0
    lpips_crop: int = 64
    lpips_images: int = 0
    lpips_channel_divisor: int = 1


@struct.dataclass
class Picks:
    """What a codebook did: the vectors it was given, and the entries it picked."""

    inputs: Float[Array, "B L D"]
    indices: Int[Array, "B L"]

    @classmethod
    def of(cls, vq: VQOutput, batch: int) -> "Picks":
        """Those of a quantiser's result for so many images."""
        width = vq.inputs.shape[-1]
        return cls(vq.inputs.reshape(batch, -1, width), vq.indices.reshape(batch, -1))


_COMPARED_IMAGES = 8


def token_terms(
    config: LossConfig, vq: VQOutput, batch: int
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Loss of the semantic quantiser for so many images, and its parts."""
    value = objectives.vq_loss(vq.codebook_loss, vq.commitment_loss)
    loss, metrics = config.codebook * value, {"vq": value}
    if config.uniformity:
        # With n groups, image b is in group b mod n: groups are the same where
        # `accumulate` takes a batch in parts that are multiples of them.
        compared = math.gcd(batch, _COMPARED_IMAGES)
        shape = (compared, batch // compared, -1, *vq.inputs.shape[1:])
        groups = jnp.moveaxis(vq.inputs.reshape(shape), 1, 0)
        groups = groups.reshape(len(groups), -1, *vq.inputs.shape[1:])
        metrics["uniformity"] = jnp.mean(jax.vmap(objectives.uniformity)(groups))
        loss += config.uniformity * metrics["uniformity"]
    return loss, metrics


@struct.dataclass
class Outcome:
    """Loss of a batch.

    Attributes:
      loss: what is minimised.
      metrics: its parts and other scalars worth logging.
      codes: what every codebook of the stage did, by the codebook's path.
      bpp: of every image, with rounded symbols and with noise in their place; None
        where nothing is coded.
      statistics: new values of the parameters that follow the data and no gradient, by
        path.
    """

    loss: Float[Array, ""]
    metrics: dict[str, Float[Array, ""]]
    codes: dict[str, Picks]
    bpp: dict[str, Float[Array, "B"]] | None = None
    statistics: dict[str, Array] = struct.field(default_factory=dict)


def _image_terms(
    config: LossConfig,
    constants: Any,
    corners: Array,
    cell: int,
    image: Array,
    recon: Array,
) -> tuple[Array, dict[str, Array]]:
    """Image loss without the adversarial term (docs/architecture.md#image-loss)."""

    few = slice(config.lpips_images or None)
    crops = objectives.crop_pairs(
        corners[few], image[few], recon[few], config.lpips_crop
    )
    terms = {"l1": objectives.absolute_error(image, recon).mean()}
    if config.blockiness:
        terms["blockiness"] = objectives.blockiness(image, recon, cell).mean()
    for name, network in perceptual_networks(config).items():
        pair = (image, recon) if name == "lpips_alex" else crops
        params = {"params": constants["perceptual"][name]}
        terms[name] = network.apply(params, *pair).mean()
    return sum(getattr(config, name) * term for name, term in terms.items()), terms


def perceptual_networks(config: LossConfig) -> dict[str, nn.Module]:
    """The frozen networks that judge images, by the name of their term."""
    divisor = config.lpips_channel_divisor
    networks = {
        "lpips": LPIPS("vgg", divisor),
        "lpips_alex": LPIPS("alex", divisor),
        "dists": DISTS(divisor),
    }
    return {name: net for name, net in networks.items() if getattr(config, name)}


def image_outcome(
    config: LossConfig,
    constants: Any,
    params: Any,
    decode: Callable[[Any, Array], Array],
    corners: Array,
    latent: Array,
    target: Array,
    outcome: Outcome,
) -> Outcome:
    """Adds what a decoded latent costs, in the view of the discriminator too.

    Args:
      config: weights of the terms.
      constants: see `Task`.
      params: parameters of the stage.
      decode: (parameters, latent) -> image.
      corners: of what LPIPS-VGG and DISTS see.
      latent: what is decoded.
      target: the image that belongs to it.
      outcome: the other terms.
    """
    cell = target.shape[1] // latent.shape[1]
    terms = partial(_image_terms, config, constants, corners, cell, target)
    recon = decode(params, latent)
    value, metrics = terms(recon)
    outcome = outcome.replace(
        loss=outcome.loss + value, metrics=outcome.metrics | metrics
    )
    if not config.adversarial:
        return outcome
    added = adversarial_terms(
        _discriminator(config),
        params,
        decode,
        lambda recon: terms(recon)[0],
        latent,
        target,
        recon,
        config.adversarial * constants["adversarial"],
    )
    return outcome.replace(
        loss=outcome.loss + added.loss,
        metrics=outcome.metrics | added.metrics,
        statistics=added.statistics,
    )


def _discriminator(config: LossConfig) -> PatchDiscriminator:
    return PatchDiscriminator(
        config.discriminator_channels, config.discriminator_images
    )


def with_discriminator(
    config: LossConfig, params: Any, key: Array, image: Array
) -> Any:
    """Adds the variables of the discriminator where the loss has one."""
    if config.adversarial:
        variables = _discriminator(config).init(key, image, train=True)
        params["discriminator"] = variables
    return params
