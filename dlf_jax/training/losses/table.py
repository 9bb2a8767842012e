"""The loss terms: one row each, with the settings of all of them.

A stage sums its rows with `weighted_sum`, and `dlf_jax.training.settings.table` makes
the setting of every weight from its row.  Pure functions are in
`dlf_jax.training.losses.terms`.  Two terms are in other modules: the adversarial one,
which has a player of its own (`dlf_jax.training.losses.adversary`), and the rate, whose
weight changes during training (`dlf_jax.training.losses.rate_control`).
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.nn.vector_quantizer import VQOutput
from dlf_jax.perceptual.dists import DISTS
from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.perceptual.weights import load_dists_params, load_lpips_params
from dlf_jax.training.losses import terms
from dlf_jax.typing import Array, Float, Params

_COMPARED_IMAGES = 8


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Settings of the loss of a stage.

    A field that is not explained here is the weight of the term in whose row it is
    named.  Values are those of the released training.

    Attributes:
      continuous_target: the target of the latent term is the VQGAN's latent before its
        quantiser instead of the code: a trained codebook with codes as targets would
        shrink.
      continuous_share: share of images that the VQGAN decodes without its quantiser.
      decode_crop: side in pixels of the random square that the joint codec decodes for
        the image loss, a multiple of the cell; 0 decodes everything.
      adversarial: weight of the adversarial term, beside the adaptive weight that gives
        the term a gradient as large as that of the other terms at the decoder's last
        layer; 0 removes the discriminator.
      discriminator_channels: width of the discriminator's first layer.
      discriminator_images: number of images that the discriminator normalises together;
        one device's share in the released training; 0 stands for all of a step.
      perceptual_crop: side in pixels of the random square that LPIPS-VGG and DISTS
        compare, at least 16.
      perceptual_images: number of images that LPIPS-VGG and DISTS compare, in a batch
        or in each of the parts that it is split into (`accumulate`); 0 stands for all.
      perceptual_channel_divisor: divisor of the widths of LPIPS and DISTS; the weights
        are random unless it is 1.
    """

    l1: float = 1.0
    blockiness: float = 0.0
    lpips_vgg: float = 1.0
    lpips_alex: float = 0.0
    dists: float = 0.0
    latent: float = 1.0
    cross_entropy: float = 0.25
    codebook: float = 1.0
    uniformity: float = 0.0
    continuous_target: bool = False
    continuous_share: float = 0.0
    decode_crop: int = 0
    adversarial: float = 0.0
    discriminator_channels: int = 64
    discriminator_images: int = 0
    perceptual_crop: int = 64
    perceptual_images: int = 0
    perceptual_channel_divisor: int = 1


class FrozenNetwork(NamedTuple):
    """A network with fixed weights that compares two images.

    Attributes:
      make: (divisor of its widths) -> module, called with two images [B H W 3].
      load: () -> parameters.
    """

    make: Callable[[int], nn.Module]
    load: Callable[[], Params]


@dataclasses.dataclass(frozen=True)
class LossTerm:
    """One row.

    Attributes:
      name: name of the metric.
      fn: (arrays of the stage) -> values whose mean is the term or, with a network, the
        two images to compare.
      meaning: explanation of the setting of its weight.
      weight: field of `LossConfig` with its weight; `name` unless given.
      network: the network that computes the term.
      optional: whether the term is computed, and logged, only where its weight is not
        0, because it costs time.
      least_side: pixels a side that the term needs.
      least_cells: cells a side that the term needs.
    """

    name: str
    fn: Callable[[Any], Any]
    meaning: str
    weight: str = ""
    network: FrozenNetwork | None = None
    optional: bool = False
    least_side: int = 1
    least_cells: int = 1

    def __post_init__(self):
        object.__setattr__(self, "weight", self.weight or self.name)


def weighted_sum(
    rows: Sequence[LossTerm],
    config: LossConfig,
    arrays: Any,
    networks: Mapping[str, Params] | None = None,
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Evaluates loss terms.

    Args:
      rows: the terms.
      config: their weights.
      arrays: argument of their functions.
      networks: parameters of their networks, by the name of the term.

    Returns:
      Sum of the terms times their weights, and the terms by name.
    """
    loss, metrics = jnp.zeros(()), {}
    modules = loss_networks(config)
    for row in rows:
        weight = getattr(config, row.weight)
        if row.optional and not weight:
            continue
        values = row.fn(arrays)
        if row.network:
            params = {"params": networks[row.name]}
            values = modules[row.name].apply(params, *values)
        metrics[row.name] = jnp.mean(values)
        loss += weight * metrics[row.name]
    return loss, metrics


def loss_networks(config: LossConfig) -> dict[str, nn.Module]:
    """Returns the frozen networks of the image loss, by the name of their term."""
    return {
        row.name: row.network.make(config.perceptual_channel_divisor)
        for row in IMAGE_TERMS
        if row.network and getattr(config, row.weight)
    }


def load_networks(names: Sequence[str]) -> dict[str, Params]:
    """Reads the parameters of frozen networks.

    Args:
      names: names of terms.

    Raises:
      UserError: the weights are missing and cannot be fetched.
    """
    return {row.name: row.network.load() for row in IMAGE_TERMS if row.name in names}


# ---- Image loss (docs/architecture.md#image-loss) ------------------------------------


class ImagePair(NamedTuple):
    """Arrays of the image terms.

    Attributes:
      image, recon: an image and its reconstruction, in [-1, 1].
      crops: squares at the same place of both, for the expensive networks.
      cell: side of a cell in pixels.
    """

    image: Float[Array, "B H W 3"]
    recon: Float[Array, "B H W 3"]
    crops: tuple[Float[Array, "N S S 3"], Float[Array, "N S S 3"]]
    cell: int


IMAGE_TERMS = (
    LossTerm(
        "l1",
        lambda pair: terms.absolute_error(pair.image, pair.recon),
        "weight of the mean absolute error on [-1, 1]",
    ),
    LossTerm(
        "blockiness",
        lambda pair: terms.blockiness(pair.image, pair.recon, pair.cell),
        "weight of the visible grid of cells in an image",
        optional=True,
        least_cells=2,
    ),
    LossTerm(
        "lpips_vgg",
        lambda pair: pair.crops,
        "weight of LPIPS-VGG, of VGG16 on squares of loss.perceptual_crop",
        network=FrozenNetwork(
            lambda divisor: LPIPS("vgg", divisor), lambda: load_lpips_params("vgg")
        ),
        optional=True,
        least_side=16,
    ),
    LossTerm(
        "lpips_alex",
        lambda pair: (pair.image, pair.recon),
        "weight of LPIPS-AlexNet on everything decoded; costs a twentieth of "
        "LPIPS-VGG a pixel",
        network=FrozenNetwork(
            lambda divisor: LPIPS("alex", divisor), lambda: load_lpips_params("alex")
        ),
        optional=True,
        least_side=32,
    ),
    LossTerm(
        "dists",
        lambda pair: pair.crops,
        "weight of DISTS, which compares texture, on squares of loss.perceptual_crop",
        network=FrozenNetwork(DISTS, lambda: load_dists_params()),
        optional=True,
        least_side=16,
    ),
)

# ---- Prediction of the VQGAN's codes (docs/architecture.md#alignment-loss) -----------


class CodePrediction(NamedTuple):
    """Arrays of the terms that compare a prediction with the VQGAN.

    Attributes:
      latent: predicted latent; None where only codes are predicted.
      logits: predicted distribution over codes.
      target: the VQGAN's quantised latent of the image.
      continuous: the latent before the quantiser is the target of `latent`.
    """

    latent: Float[Array, "B h w E"] | None
    logits: Float[Array, "B h w K"]
    target: VQOutput
    continuous: bool = False


LATENT = LossTerm(
    "latent",
    lambda of: terms.squared_error(
        of.latent, of.target.inputs if of.continuous else of.target.codes
    ),
    "weight of the squared error of the VQGAN latent",
)
CROSS_ENTROPY = LossTerm(
    "cross_entropy",
    lambda of: terms.code_cross_entropy(of.logits, of.target.indices),
    "weight of the cross-entropy of the VQGAN codes",
)
ALIGNMENT_TERMS = (LATENT, CROSS_ENTROPY)

# ---- Quantisers (docs/architecture.md#semantic-quantiser) ----------------------------


class Quantized(NamedTuple):
    """Result of a quantiser for a number of images."""

    vq: VQOutput
    num_images: int


def _uniformity(of: Quantized) -> Float[Array, "G"]:
    """Uniformity of groups of images.

    With n groups, image b is in group b mod n: groups are the same where `accumulate`
    splits a batch into parts that are multiples of them.
    """
    size = math.gcd(of.num_images, _COMPARED_IMAGES)
    inputs = of.vq.inputs
    shape = (size, of.num_images // size, -1, *inputs.shape[1:])
    groups = jnp.moveaxis(inputs.reshape(shape), 1, 0)
    groups = groups.reshape(len(groups), -1, *inputs.shape[1:])
    return jax.vmap(terms.uniformity)(groups)


CODEBOOK = LossTerm(
    "vq",
    lambda of: terms.vq_loss(of.vq.codebook_loss, of.vq.commitment_loss),
    "weight of the codebook term plus a quarter of the commitment term",
    weight="codebook",
)
TOKEN_TERMS = (
    CODEBOOK,
    LossTerm(
        "uniformity",
        _uniformity,
        "weight of the term that pushes the tokens of different tiles apart: small "
        "models tend to collapse to the same tokens for every tile",
        optional=True,
    ),
)

TERMS = (*IMAGE_TERMS, *ALIGNMENT_TERMS, *TOKEN_TERMS)
