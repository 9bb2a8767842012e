"""What each stage computes: from parameters and a batch to a loss and its parts."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct, traverse_util

from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dlf import DLF, CodecOutput, SemanticTokenizer
from dlf_jax.models.vqgan import VQGAN
from dlf_jax.nn.vector_quantizer import VQOutput
from dlf_jax.perceptual.discriminator import PatchDiscriminator
from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.training import objectives
from dlf_jax.training.stages import SEMANTIC_CODEBOOK, VQGAN_CODEBOOK, path_names
from dlf_jax.typing import Array, Float, Int

_LAST_KERNEL = "vqgan/decoder/conv_out/kernel"


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms.

    Attributes:
      l1, lpips: of the image loss (spec §15.4); LPIPS is that of VGG16.
      lpips_alex: of LPIPS-AlexNet on everything decoded, which costs a twentieth of
        the other on as many pixels; 0 leaves it out.
      latent, cross_entropy: of the alignment loss (spec §15.3).
      continuous_target: the latent term asks for the VQGAN's latent before its
        quantiser, and not for the code; with a codebook that is trained, codes as
        targets would shrink it.
      codebook: of the quantiser's own terms.
      continuous_share: of the images, decoded without the VQGAN's quantiser.
      decode_crop: side in pixels of the random square that the joint codec decodes for
        the image loss, a multiple of the cell; 0 decodes everything.
      adversarial: of the adversarial term, which is also scaled so that it pulls at the
        decoder's last layer as hard as the others; 0 leaves the discriminator out.
      discriminator_channels: width of the discriminator's first layer.
      lpips_crop: side of the random square that LPIPS-VGG sees, at least 16.
      lpips_images: LPIPS-VGG sees this many images of a batch; 0 stands for all.
      lpips_channel_divisor: of the LPIPS networks; their weights are random unless 1.
    """

    l1: float = 1.0
    lpips: float = 1.0
    lpips_alex: float = 0.0
    latent: float = 1.0
    cross_entropy: float = 0.25
    continuous_target: bool = False
    codebook: float = 1.0
    continuous_share: float = 0.0
    decode_crop: int = 0
    adversarial: float = 0.0
    discriminator_channels: int = 64
    lpips_crop: int = 64
    lpips_images: int = 0
    lpips_channel_divisor: int = 1


@struct.dataclass
class Outcome:
    """Loss of a batch.

    Attributes:
      loss: what is minimised.
      metrics: its parts and other scalars worth logging.
      codes: what every codebook of the stage did, by the codebook's path.
      statistics: new values of the parameters that follow the data and no gradient, by
        path.
    """

    loss: Float[Array, ""]
    metrics: dict[str, Float[Array, ""]]
    codes: dict[str, VQOutput]
    statistics: dict[str, Array] = struct.field(default_factory=dict)


class Task(NamedTuple):
    """A stage ready to run.

    Attributes:
      init: (key, image [B H W 3]) -> parameters.
      loss: (parameters, constants, image [B H W 3] in [-1, 1], key) -> Outcome.
      lpips: networks whose LPIPS weights `constants` must hold under "lpips", by name.

    `constants` of the joint stages holds the rate weight λ of every rate point under
    "lmbda", [R], the lowest rate (largest weight) first.
    """

    init: Callable[[Array, Array], Any]
    loss: Callable[[Any, Any, Array, Array], Outcome]
    lpips: tuple[str, ...]


def _image_terms(
    config: LossConfig, constants: Any, image: Array, recon: Array, key: Array
) -> tuple[Array, dict[str, Array]]:
    """Image loss without the adversarial term (spec §15.4)."""

    def lpips(net: str, image: Array, recon: Array) -> Array:
        network = LPIPS(net, config.lpips_channel_divisor)
        return network.apply({"params": constants["lpips"][net]}, image, recon).mean()

    few = slice(config.lpips_images or None)
    crops = objectives.random_crops(key, image[few], recon[few], config.lpips_crop)
    terms = {
        "l1": objectives.absolute_error(image, recon).mean(),
        "lpips": lpips("vgg", *crops),
    }
    if config.lpips_alex:
        terms["lpips_alex"] = lpips("alex", image, recon)
    return sum(getattr(config, name) * term for name, term in terms.items()), terms


def _image_networks(config: LossConfig) -> tuple[str, ...]:
    """The LPIPS networks behind `_image_terms`."""
    return ("vgg", "alex") if config.lpips_alex else ("vgg",)


def _autoencode(model_config: DLFConfig, config: LossConfig) -> Task:
    """The VQGAN alone: L1, LPIPS and the codebook terms, straight-through."""
    vqgan = VQGAN(model_config.vqgan)

    def init(key: Array, image: Array) -> Any:
        return {"vqgan": vqgan.init(key, image)["params"]}

    def loss(params: Any, constants: Any, image: Array, key: Array) -> Outcome:
        crop_key, mix_key = jax.random.split(key)
        recon, vq = vqgan.apply(
            {"params": params["vqgan"]},
            image,
            jax.random.uniform(mix_key, image.shape[:1]) < config.continuous_share,
            method=_reconstruct_some_unquantized,
        )
        value, metrics = _image_terms(config, constants, image, recon, crop_key)
        vq_loss = objectives.vq_loss(vq.codebook_loss, vq.commitment_loss)
        return Outcome(
            loss=value + config.codebook * vq_loss,
            metrics=metrics | {"vq": vq_loss},
            codes={VQGAN_CODEBOOK: vq},
        )

    return Task(init, loss, lpips=_image_networks(config))


def _reconstruct_some_unquantized(
    vqgan: VQGAN, image: Array, continuous: Array
) -> tuple[Array, VQOutput]:
    """Decodes the chosen images from their latents before quantisation.

    In the codec the decoder sees mixtures of codes, never codes alone.
    """
    latent = vqgan.encode(image)
    vq = vqgan.quantize(latent)
    chosen = continuous[:, None, None, None]
    return vqgan.decode(jnp.where(chosen, latent, vq.quantized)), vq


def _tokenize(model_config: DLFConfig, config: LossConfig) -> Task:
    """The semantic branch alone: its tokens predict the codes of the VQGAN."""
    tokenizer, vqgan = SemanticTokenizer(model_config), VQGAN(model_config.vqgan)

    def init(key: Array, image: Array) -> Any:
        params = tokenizer.init(key, image)["params"]
        codec = params["codec"] | {"vqgan": vqgan.init(key, image)["params"]}
        return codec | {"head": params["head"]}

    def loss(params: Any, constants: Any, image: Array, key: Array) -> Outcome:
        target = vqgan.apply({"params": params["vqgan"]}, image, method=_targets)
        codec = {name: params[name] for name in ("encoder", "tokens", "decoder")}
        out = tokenizer.apply(
            {"params": {"codec": codec, "head": params["head"]}}, image
        )
        cross_entropy = objectives.code_cross_entropy(out.logits, target.indices).mean()
        vq = objectives.vq_loss(out.tokens.codebook_loss, out.tokens.commitment_loss)
        return Outcome(
            loss=config.cross_entropy * cross_entropy + config.codebook * vq,
            metrics={"cross_entropy": cross_entropy, "vq": vq},
            codes={SEMANTIC_CODEBOOK: out.tokens},
        )

    return Task(init, loss, lpips=())


def _align(model_config: DLFConfig, config: LossConfig) -> Task:
    """The joint codec, predicting the latents of the VQGAN (spec §15.3)."""
    model = DLF(model_config)

    def loss(params: Any, constants: Any, image: Array, key: Array) -> Outcome:
        target = VQGAN(model_config.vqgan).apply(
            {"params": params["vqgan"]}, image, method=_targets
        )
        out, value, metrics = _codec_terms(model, config, params, constants, image, key)
        wanted = target.inputs if config.continuous_target else target.codes
        latent = objectives.squared_error(out.latent, wanted).mean()
        cross_entropy = objectives.code_cross_entropy(out.logits, target.indices).mean()
        return Outcome(
            loss=value + config.latent * latent + config.cross_entropy * cross_entropy,
            metrics=metrics | {"latent": latent, "cross_entropy": cross_entropy},
            codes={SEMANTIC_CODEBOOK: out.tokens},
        )

    return Task(partial(_init_codec, model), loss, lpips=())


def _reconstruct(model_config: DLFConfig, config: LossConfig) -> Task:
    """The joint codec, judged by its images (spec §15.4)."""
    model = DLF(model_config)
    judge = PatchDiscriminator(config.discriminator_channels)

    def init(key: Array, image: Array) -> Any:
        params = _init_codec(model, key, image)
        if config.adversarial:
            params["discriminator"] = judge.init(key, image, train=True)
        return params

    def decode(params: Any, latent: Array) -> Array:
        return model.apply({"params": params}, latent, method=DLF.reconstruct)

    def loss(params: Any, constants: Any, image: Array, key: Array) -> Outcome:
        codec_key, decode_key, crop_key = jax.random.split(key, 3)
        out, value, metrics = _codec_terms(
            model, config, params, constants, image, codec_key
        )
        side = config.decode_crop or image.shape[1]
        cells = min(side, image.shape[1]) // model_config.patch_size
        latent, target = objectives.random_cells(decode_key, out.latent, image, cells)
        recon = decode(params, latent)
        nll, parts = _image_terms(config, constants, target, recon, crop_key)
        outcome = Outcome(
            loss=value + nll,
            metrics=metrics | parts,
            codes={SEMANTIC_CODEBOOK: out.tokens},
        )
        if not config.adversarial:
            return outcome

        fixed, fixed_latent = jax.lax.stop_gradient((params, latent))

        def terms(kernel: Array) -> tuple[Array, Array]:
            """Both image terms as functions of the decoder's last kernel."""
            flat = path_names(fixed) | {_LAST_KERNEL: kernel}
            recon = decode(traverse_util.unflatten_dict(flat, sep="/"), fixed_latent)
            logits, _ = _judge(judge, fixed["discriminator"], recon)
            nll, _ = _image_terms(config, constants, target, recon, crop_key)
            return nll, objectives.generator_loss(logits)

        _, pull = jax.vjp(terms, path_names(fixed)[_LAST_KERNEL])
        weight = config.adversarial * objectives.adaptive_weight(
            *pull((1.0, 0.0)), *pull((0.0, 1.0))
        )
        # Three passes, as three batches move the released running statistics.
        logits, variables = _judge(judge, fixed["discriminator"], recon)
        generator = objectives.generator_loss(logits)
        variables = {**params["discriminator"], **variables}
        real, variables = _judge(judge, variables, target)
        variables = {**params["discriminator"], **variables}
        fake, variables = _judge(judge, variables, jax.lax.stop_gradient(recon))
        discriminator = objectives.hinge_loss(real, fake)
        return outcome.replace(
            loss=outcome.loss + weight * generator + discriminator,
            metrics=outcome.metrics
            | {
                "generator": generator,
                "discriminator": discriminator,
                "adversarial_weight": weight,
                "logits/real": jnp.mean(real),
                "logits/fake": jnp.mean(fake),
            },
            statistics=path_names({"discriminator": variables}),
        )

    return Task(init, loss, lpips=_image_networks(config))


def _judge(
    judge: PatchDiscriminator, variables: Any, image: Array
) -> tuple[Array, Mapping[str, Any]]:
    """Logits of an image, and the running statistics after it."""
    return judge.apply(variables, image, train=True, mutable=["batch_stats"])


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


def _codec_terms(
    model: DLF,
    config: LossConfig,
    params: Any,
    constants: Any,
    image: Array,
    key: Array,
) -> tuple[CodecOutput, Array, dict[str, Array]]:
    """Training forward at random rates, and the terms both joint stages share."""
    num_rates, stride = model.config.num_rates, model.config.detail_stride
    rate_key, noise_key = jax.random.split(key)
    batch, height, width, _ = image.shape
    rate = balanced_rates(rate_key, batch, num_rates)
    grid = (height // stride, width // stride)
    noise = uniform_noise(noise_key, (batch, *grid, model.config.latent_channels))
    out = model.apply({"params": params}, image, rate, noise)
    num_pixels = height * width
    weighted = objectives.weighted_rate(
        out.bits, rate, constants["lmbda"], num_pixels
    ).mean()
    vq = objectives.vq_loss(out.tokens.codebook_loss, out.tokens.commitment_loss)
    metrics = {"rate": weighted, "vq": vq}
    for r in range(num_rates):
        members = rate == r
        bits = jnp.sum(out.bits_rounded * members) / jnp.maximum(members.sum(), 1)
        metrics[f"bpp/{r}"] = bits / num_pixels
    return out, weighted + config.codebook * vq, metrics


def uniform_noise(key: Array, shape: tuple[int, ...]) -> Array:
    """What stands for the rounding of symbols in training: uniform in ±½."""
    return jax.random.uniform(key, shape, minval=-0.5, maxval=0.5)


def balanced_rates(key: Array, batch: int, num_rates: int) -> Int[Array, "B"]:
    """Rate index of every image: each uniform, and evenly spread over the batch."""
    order, start = jax.random.split(key)
    rates = jnp.arange(batch) + jax.random.randint(start, (), 0, num_rates)
    return jax.random.permutation(order, rates % num_rates)


TASKS: Mapping[str, Callable[[DLFConfig, LossConfig], Task]] = {
    "autoencode": _autoencode,
    "tokenize": _tokenize,
    "align": _align,
    "reconstruct": _reconstruct,
}
