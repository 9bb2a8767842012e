"""Stage of the VQGAN alone: image loss and codebook term, straight-through."""

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.models.config import DLFConfig
from dlf_jax.models.vqgan import VQGAN
from dlf_jax.nn.vector_quantizer import VQOutput
from dlf_jax.training.losses.image import add_image_loss, with_discriminator
from dlf_jax.training.losses.output import CodebookUse, LossOutput
from dlf_jax.training.losses.table import (
    CODEBOOK,
    Quantized,
    loss_networks,
    weighted_sum,
)
from dlf_jax.training.stages.task import VQGAN_CODEBOOK, Task
from dlf_jax.training.step.inputs import StepInputs
from dlf_jax.training.step.randomness import StepRandomness, square_corners
from dlf_jax.typing import Array, Bool, Float, Int, Params


class VQGANTask(Task):
    """Trains the image autoencoder whose latents are the targets of later stages."""

    has_image_loss: ClassVar[bool] = True

    @property
    def crop_unit(self) -> int:
        """A cell; the VQGAN has no tiles."""
        return self.model.patch_size

    @property
    def num_reconstructions(self) -> int:
        """One, without a rate."""
        return 1

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Frozen networks of the image loss."""
        return loss_networks(self.weights)

    def init(self, key: Array, image: Float[Array, "B H W 3"]) -> Params:
        """Returns parameters of the VQGAN and, if there is one, the discriminator."""
        params = {"vqgan": VQGAN(self.model.vqgan).init(key, image)["params"]}
        return with_discriminator(self.weights, params, key, image)

    def sample(self, key: Array, shape: tuple[int, ...]) -> StepRandomness:
        """Draws squares for the networks, and images that skip the quantiser."""
        crop_key, mix_key = jax.random.split(key)
        size, share = self.weights.perceptual_crop, self.weights.continuous_share
        return StepRandomness(
            crops=square_corners(crop_key, shape[0], shape[1:3], size),
            continuous=jax.random.uniform(mix_key, shape[:1]) < share,
        )

    def loss(
        self,
        params: Params,
        inputs: StepInputs,
        image: Float[Array, "B H W 3"],
        random: StepRandomness,
    ) -> LossOutput:
        """Returns the image loss plus the codebook term."""
        vqgan = VQGAN(self.model.vqgan)

        def decode(params: Params, latent: Array) -> Array:
            return vqgan.apply({"params": params["vqgan"]}, latent, method=VQGAN.decode)

        latent, vq = vqgan.apply(
            {"params": params["vqgan"]}, image, random.continuous, method=_quantize_some
        )
        loss, metrics = weighted_sum(
            (CODEBOOK,), self.weights, Quantized(vq, len(image))
        )
        output = LossOutput(
            loss, metrics, codes={VQGAN_CODEBOOK: CodebookUse.of(vq, len(image))}
        )
        return add_image_loss(
            output, self.weights, inputs, params, decode, random.crops, latent, image
        )

    def reconstruct(
        self, params: Params, image: Float[Array, "B H W 3"], rate: Int[Array, ""]
    ) -> tuple[Float[Array, "B H W 3"], None]:
        """Encodes, quantises and decodes images."""
        variables = {"params": params["vqgan"]}
        return VQGAN(self.model.vqgan).apply(variables, image).recon, None


def vqgan_targets(
    model: DLFConfig, params: Params, image: Float[Array, "B H W 3"]
) -> VQOutput:
    """Quantises images as targets without gradient.

    Args:
      model: sizes of the network.
      params: parameters of a stage, those of the VQGAN among them.
      image: in [-1, 1].
    """

    def quantize(vqgan: VQGAN, image: Array) -> VQOutput:
        return jax.lax.stop_gradient(vqgan.quantize(vqgan.encode(image)))

    variables = {"params": params["vqgan"]}
    return VQGAN(model.vqgan).apply(variables, image, method=quantize)


def _quantize_some(
    vqgan: VQGAN, image: Float[Array, "B H W 3"], continuous: Bool[Array, "B"]
) -> tuple[Float[Array, "B h w E"], VQOutput]:
    """Quantised latents, except those of the chosen images.

    In the codec the decoder sees mixtures of codes, never codes alone.
    """
    latent = vqgan.encode(image)
    vq = vqgan.quantize(latent)
    chosen = continuous[:, None, None, None]
    return jnp.where(chosen, latent, vq.quantized), vq
