"""Stages of the joint codec: alignment, image loss, and the context model alone."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.models.dlf import DLF, CodecOutput
from dlf_jax.training.losses import terms
from dlf_jax.training.losses.image import add_image_loss, with_discriminator
from dlf_jax.training.losses.output import CodebookUse, LossOutput
from dlf_jax.training.losses.table import (
    ALIGNMENT_TERMS,
    TOKEN_TERMS,
    CodePrediction,
    Quantized,
    loss_networks,
    weighted_sum,
)
from dlf_jax.training.stages.task import SEMANTIC_CODEBOOK, Task
from dlf_jax.training.stages.vqgan import vqgan_targets
from dlf_jax.training.step.inputs import StepInputs
from dlf_jax.training.step.randomness import (
    StepRandomness,
    balanced_rates,
    square_corners,
    uniform_noise,
)
from dlf_jax.typing import Array, Float, Int, Params


class _CodecTask(Task):
    """Parameters, random numbers and rate of the joint codec."""

    makes_codec: ClassVar[bool] = True
    has_rates: ClassVar[bool] = True

    @property
    def num_reconstructions(self) -> int:
        """One at every rate point."""
        return self.model.num_rates

    def init(self, key: Array, image: Float[Array, "B H W 3"]) -> Params:
        """Returns parameters of the codec and of both halves of its VQGAN."""
        rate = jnp.zeros(image.shape[:1], jnp.int32)

        def touch_everything(module: DLF) -> None:
            module(image, rate)
            module.vqgan(image)

        return DLF(self.model).init(key, method=touch_everything)["params"]

    def sample(self, key: Array, shape: tuple[int, ...]) -> StepRandomness:
        """Draws rates, and noise in place of rounding."""
        rate_key, noise_key = jax.random.split(key)
        batch, height, width, _ = shape
        stride = self.model.detail_stride
        grid = (height // stride, width // stride)
        return StepRandomness(
            rate=balanced_rates(rate_key, batch, self.model.num_rates),
            noise=uniform_noise(noise_key, (batch, *grid, self.model.latent_channels)),
        )

    def reconstruct(
        self, params: Params, image: Float[Array, "B H W 3"], rate: Int[Array, ""]
    ) -> tuple[Float[Array, "B H W 3"], Float[Array, "B"]]:
        """Codes images at one rate point, with rounded symbols."""
        codec = {k: v for k, v in params.items() if k != "discriminator"}
        model, variables = DLF(self.model), {"params": codec}
        out = model.apply(variables, image, jnp.full(len(image), rate))
        recon = model.apply(variables, out.latent, method=DLF.reconstruct)
        return recon, out.bits_rounded

    def _code(
        self, params: Params, inputs: StepInputs, image: Array, random: StepRandomness
    ) -> tuple[CodecOutput, LossOutput]:
        """Training forward at random rates, and the terms that all stages share."""
        variables = {"params": params}
        out = DLF(self.model).apply(variables, image, random.rate, random.noise)
        num_pixels = image.shape[1] * image.shape[2]
        rate = terms.weighted_rate(
            out.bits, random.rate, inputs.lmbda, num_pixels
        ).mean()
        quantized = Quantized(out.tokens, len(image))
        tokens, metrics = weighted_sum(TOKEN_TERMS, self.weights, quantized)
        return out, LossOutput(
            loss=rate + tokens,
            metrics={"rate": rate} | metrics,
            codes={SEMANTIC_CODEBOOK: CodebookUse.of(out.tokens, len(image))},
            bpp={
                "bpp": out.bits_rounded / num_pixels,
                "bpp_noisy": out.bits / num_pixels,
            },
        )


class AlignTask(_CodecTask):
    """Trains the codec to predict the latents of the VQGAN.

    See docs/architecture.md#alignment-loss.
    """

    def loss(
        self,
        params: Params,
        inputs: StepInputs,
        image: Float[Array, "B H W 3"],
        random: StepRandomness,
    ) -> LossOutput:
        """Returns rate, terms of the tokens and errors of the prediction."""
        target = vqgan_targets(self.model, params, image)
        out, output = self._code(params, inputs, image, random)
        prediction = CodePrediction(
            out.latent, out.logits, target, self.weights.continuous_target
        )
        value, metrics = weighted_sum(ALIGNMENT_TERMS, self.weights, prediction)
        return output.replace(
            loss=output.loss + value, metrics=output.metrics | metrics
        )


class ContextTask(_CodecTask):
    """Trains the context model: latents and tokens of the codec stay as they are."""

    def loss(
        self,
        params: Params,
        inputs: StepInputs,
        image: Float[Array, "B H W 3"],
        random: StepRandomness,
    ) -> LossOutput:
        """Returns the rate, and the terms of the tokens."""
        _, output = self._code(params, inputs, image, random)
        return output


class ImageTask(_CodecTask):
    """Trains the codec on its reconstructions (docs/architecture.md#image-loss)."""

    has_image_loss: ClassVar[bool] = True
    decodes_crops: ClassVar[bool] = True

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Frozen networks of the image loss."""
        return loss_networks(self.weights)

    def init(self, key: Array, image: Float[Array, "B H W 3"]) -> Params:
        """Returns parameters of the codec and, if there is one, the discriminator."""
        return with_discriminator(self.weights, super().init(key, image), key, image)

    def sample(self, key: Array, shape: tuple[int, ...]) -> StepRandomness:
        """Draws rates, noise, texture, and squares of latents and of images."""
        codec_key, decode_key, crop_key, texture_key = jax.random.split(key, 4)
        batch, height, width, _ = shape
        cell, vqgan = self.model.patch_size, self.model.vqgan
        size, grid = self._decoded_cells(height), (height // cell, width // cell)
        sides = 2 * (size * cell,)
        texture = (batch, *(s // vqgan.patch for s in sides), vqgan.texture_channels)
        return (
            super()
            .sample(codec_key, shape)
            .replace(
                cells=square_corners(decode_key, batch, grid, size),
                crops=square_corners(
                    crop_key, batch, sides, self.weights.perceptual_crop
                ),
                texture=uniform_noise(texture_key, texture),
            )
        )

    def loss(
        self,
        params: Params,
        inputs: StepInputs,
        image: Float[Array, "B H W 3"],
        random: StepRandomness,
    ) -> LossOutput:
        """Returns rate, terms of the tokens and the image loss of a random square."""

        def decode(texture: Array, params: Params, latent: Array) -> Array:
            variables = {"params": params}
            return DLF(self.model).apply(
                variables, latent, texture, method=DLF.reconstruct
            )

        out, output = self._code(params, inputs, image, random)
        size = self._decoded_cells(image.shape[1])
        latent, target = terms.crop_cells(random.cells, out.latent, image, size)
        return add_image_loss(
            output,
            self.weights,
            inputs,
            params,
            partial(decode, random.texture),
            random.crops,
            latent,
            target,
        )

    def _decoded_cells(self, side: int) -> int:
        """Side in cells of the decoded square of images with this side in pixels."""
        return min(self.weights.decode_crop or side, side) // self.model.patch_size
