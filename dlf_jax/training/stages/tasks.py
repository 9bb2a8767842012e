"""What each stage computes: from parameters and a batch to a loss and its parts."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dlf import DLF, CodecOutput, SemanticTokenizer
from dlf_jax.models.vqgan import VQGAN
from dlf_jax.nn.vector_quantizer import VQOutput
from dlf_jax.training.losses import terms as objectives
from dlf_jax.training.losses.image import (
    LossConfig,
    Outcome,
    Picks,
    image_outcome,
    perceptual_networks,
    token_terms,
    with_discriminator,
)
from dlf_jax.training.stages.table import SEMANTIC_CODEBOOK, VQGAN_CODEBOOK
from dlf_jax.training.step.draws import (
    Draws,
    balanced_rates,
    square_corners,
    uniform_noise,
)
from dlf_jax.typing import Array


class Task(NamedTuple):
    """A stage ready to run.

    Attributes:
      init: (key, image [B H W 3]) -> parameters.
      draw: (key, shape of the images) -> random numbers of a batch.
      loss: (parameters, constants, image [B H W 3] in [-1, 1], draws) -> Outcome.  It
        is the mean over equal parts of a batch, but for the adversarial term, for what
        the first `lpips_images` of a part see, and for the uniformity term where parts
        are not multiples of eight images.
      perceptual: networks whose parameters `constants` holds under "perceptual", by the
        same names.

    `constants` of the joint stages holds the rate weight λ of every rate point under
    "lmbda", [R], the lowest rate (largest weight) first; that of stages with a
    discriminator the share of the adversarial term that is in force under
    "adversarial", from 0 to 1.
    """

    init: Callable[[Array, Array], Any]
    draw: Callable[[Array, tuple[int, ...]], Draws]
    loss: Callable[[Any, Any, Array, Draws], Outcome]
    perceptual: Mapping[str, nn.Module]


def _autoencode(model_config: DLFConfig, config: LossConfig) -> Task:
    """The VQGAN alone: image loss and the codebook terms, straight-through."""
    vqgan = VQGAN(model_config.vqgan)

    def init(key: Array, image: Array) -> Any:
        params = {"vqgan": vqgan.init(key, image)["params"]}
        return with_discriminator(config, params, key, image)

    def draw(key: Array, shape: tuple[int, ...]) -> Draws:
        crop_key, mix_key = jax.random.split(key)
        return Draws(
            crops=square_corners(crop_key, shape[0], shape[1:3], config.lpips_crop),
            continuous=jax.random.uniform(mix_key, shape[:1]) < config.continuous_share,
        )

    def decode(params: Any, latent: Array) -> Array:
        return vqgan.apply({"params": params["vqgan"]}, latent, method=VQGAN.decode)

    def loss(params: Any, constants: Any, image: Array, draws: Draws) -> Outcome:
        latent, vq = vqgan.apply(
            {"params": params["vqgan"]},
            image,
            draws.continuous,
            method=_quantize_some,
        )
        vq_loss = objectives.vq_loss(vq.codebook_loss, vq.commitment_loss)
        outcome = Outcome(
            loss=config.codebook * vq_loss,
            metrics={"vq": vq_loss},
            codes={VQGAN_CODEBOOK: Picks.of(vq, len(image))},
        )
        return image_outcome(
            config, constants, params, decode, draws.crops, latent, image, outcome
        )

    return Task(init, draw, loss, perceptual=perceptual_networks(config))


def _quantize_some(
    vqgan: VQGAN, image: Array, continuous: Array
) -> tuple[Array, VQOutput]:
    """What the decoder is given: of the chosen images, the latent before quantisation.

    In the codec the decoder sees mixtures of codes, never codes alone.
    """
    latent = vqgan.encode(image)
    vq = vqgan.quantize(latent)
    chosen = continuous[:, None, None, None]
    return jnp.where(chosen, latent, vq.quantized), vq


def _tokenize(model_config: DLFConfig, config: LossConfig) -> Task:
    """The semantic branch alone: its tokens predict the codes of the VQGAN."""
    tokenizer, vqgan = SemanticTokenizer(model_config), VQGAN(model_config.vqgan)

    def init(key: Array, image: Array) -> Any:
        params = tokenizer.init(key, image)["params"]
        codec = params["codec"] | {"vqgan": vqgan.init(key, image)["params"]}
        return codec | {"head": params["head"]}

    def loss(params: Any, constants: Any, image: Array, draws: Draws) -> Outcome:
        target = vqgan.apply({"params": params["vqgan"]}, image, method=_targets)
        codec = {name: params[name] for name in ("encoder", "tokens", "decoder")}
        out = tokenizer.apply(
            {"params": {"codec": codec, "head": params["head"]}}, image
        )
        cross_entropy = objectives.code_cross_entropy(out.logits, target.indices).mean()
        token_loss, metrics = token_terms(config, out.tokens, len(image))
        return Outcome(
            loss=config.cross_entropy * cross_entropy + token_loss,
            metrics={"cross_entropy": cross_entropy} | metrics,
            codes={SEMANTIC_CODEBOOK: Picks.of(out.tokens, len(image))},
        )

    return Task(init, lambda key, shape: Draws(), loss, perceptual={})


def _align(model_config: DLFConfig, config: LossConfig) -> Task:
    """The joint codec, predicting the latents of the VQGAN.

    See docs/architecture.md#alignment-loss.
    """
    model = DLF(model_config)

    def loss(params: Any, constants: Any, image: Array, draws: Draws) -> Outcome:
        target = VQGAN(model_config.vqgan).apply(
            {"params": params["vqgan"]}, image, method=_targets
        )
        out, outcome = _codec_outcome(model, config, params, constants, image, draws)
        wanted = target.inputs if config.continuous_target else target.codes
        latent = objectives.squared_error(out.latent, wanted).mean()
        cross_entropy = objectives.code_cross_entropy(out.logits, target.indices).mean()
        value = config.latent * latent + config.cross_entropy * cross_entropy
        parts = {"latent": latent, "cross_entropy": cross_entropy}
        return outcome.replace(
            loss=outcome.loss + value, metrics=outcome.metrics | parts
        )

    return Task(
        partial(_init_codec, model), partial(_draw_codec, model), loss, perceptual={}
    )


def _fit_context(model_config: DLFConfig, config: LossConfig) -> Task:
    """The rate of the joint codec alone: its latent and its tokens stay as they are."""
    model = DLF(model_config)

    def loss(params: Any, constants: Any, image: Array, draws: Draws) -> Outcome:
        _, outcome = _codec_outcome(model, config, params, constants, image, draws)
        return outcome

    return Task(
        partial(_init_codec, model), partial(_draw_codec, model), loss, perceptual={}
    )


def _reconstruct(model_config: DLFConfig, config: LossConfig) -> Task:
    """The joint codec, judged by its images (docs/architecture.md#image-loss)."""
    model = DLF(model_config)

    def num_cells(side: int) -> int:
        """Side in cells of what is decoded of an image with this side in pixels."""
        return min(config.decode_crop or side, side) // model_config.patch_size

    def init(key: Array, image: Array) -> Any:
        params = _init_codec(model, key, image)
        return with_discriminator(config, params, key, image)

    def draw(key: Array, shape: tuple[int, ...]) -> Draws:
        codec_key, decode_key, crop_key, texture_key = jax.random.split(key, 4)
        batch, height, width, _ = shape
        size = num_cells(height)
        grid = (height // model_config.patch_size, width // model_config.patch_size)
        sides = 2 * (size * model_config.patch_size,)
        vqgan = model_config.vqgan
        texture = (batch, *(s // vqgan.patch for s in sides), vqgan.texture_channels)
        return _draw_codec(model, codec_key, shape).replace(
            cells=square_corners(decode_key, batch, grid, size),
            crops=square_corners(crop_key, batch, sides, config.lpips_crop),
            texture=uniform_noise(texture_key, texture),
        )

    def decode(texture: Array, params: Any, latent: Array) -> Array:
        return model.apply({"params": params}, latent, texture, method=DLF.reconstruct)

    def loss(params: Any, constants: Any, image: Array, draws: Draws) -> Outcome:
        out, outcome = _codec_outcome(model, config, params, constants, image, draws)
        size = num_cells(image.shape[1])
        latent, target = objectives.crop_cells(draws.cells, out.latent, image, size)
        return image_outcome(
            config,
            constants,
            params,
            partial(decode, draws.texture),
            draws.crops,
            latent,
            target,
            outcome,
        )

    return Task(init, draw, loss, perceptual=perceptual_networks(config))


def _targets(vqgan: VQGAN, image: Array) -> VQOutput:
    """What the VQGAN makes of `image`, as targets without gradient."""
    return jax.lax.stop_gradient(vqgan.quantize(vqgan.encode(image)))


def _init_codec(model: DLF, key: Array, image: Array) -> Any:
    """Parameters of the codec and of both halves of its VQGAN."""
    rate = jnp.zeros(image.shape[:1], jnp.int32)

    def touch_everything(module: DLF) -> None:
        module(image, rate)
        module.vqgan(image)

    return model.init(key, method=touch_everything)["params"]


def _draw_codec(model: DLF, key: Array, shape: tuple[int, ...]) -> Draws:
    """Rates and noise of a batch of images."""
    rate_key, noise_key = jax.random.split(key)
    batch, height, width, _ = shape
    stride = model.config.detail_stride
    grid = (height // stride, width // stride)
    return Draws(
        rate=balanced_rates(rate_key, batch, model.config.num_rates),
        noise=uniform_noise(noise_key, (batch, *grid, model.config.latent_channels)),
    )


def _codec_outcome(
    model: DLF,
    config: LossConfig,
    params: Any,
    constants: Any,
    image: Array,
    draws: Draws,
) -> tuple[CodecOutput, Outcome]:
    """Training forward at random rates, and the terms both joint stages share."""
    out = model.apply({"params": params}, image, draws.rate, draws.noise)
    num_pixels = image.shape[1] * image.shape[2]
    rate = objectives.weighted_rate(
        out.bits, draws.rate, constants["lmbda"], num_pixels
    ).mean()
    token_loss, metrics = token_terms(config, out.tokens, len(image))
    return out, Outcome(
        loss=rate + token_loss,
        metrics={"rate": rate} | metrics,
        codes={SEMANTIC_CODEBOOK: Picks.of(out.tokens, len(image))},
        bpp={
            "bpp": out.bits_rounded / num_pixels,
            "bpp_noisy": out.bits / num_pixels,
        },
    )


TASKS: Mapping[str, Callable[[DLFConfig, LossConfig], Task]] = {
    "autoencode": _autoencode,
    "tokenize": _tokenize,
    "align": _align,
    "fit_context": _fit_context,
    "reconstruct": _reconstruct,
}
