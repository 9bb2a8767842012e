"""What each stage computes: from parameters and a batch to a loss and its parts."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flax import struct

from dlf_jax.models.config import DLFConfig
from dlf_jax.models.vqgan import VQGAN
from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.training import objectives
from dlf_jax.training.stages import VQGAN_CODEBOOK
from dlf_jax.typing import Array, Float, Int


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms.

    Attributes:
      l1, lpips: of the image loss (spec §15.4).
      latent, cross_entropy: of the alignment loss (spec §15.3).
      codebook: of the quantiser's own terms.
      lmbda: rate weight of every rate point, the lowest rate (largest weight) first.
      lpips_crop: side of the random square that LPIPS sees, at least 32.
    """

    l1: float = 1.0
    lpips: float = 1.0
    latent: float = 1.0
    cross_entropy: float = 0.25
    codebook: float = 1.0
    lmbda: tuple[float, ...] = ()
    lpips_crop: int = 64


@struct.dataclass
class Outcome:
    """Loss of a batch.

    Attributes:
      loss: what is minimised.
      metrics: its parts and other scalars worth logging.
      codes: indices picked from every codebook of the stage, by the codebook's path.
    """

    loss: Float[Array, ""]
    metrics: dict[str, Float[Array, ""]]
    codes: dict[str, Int[Array, "..."]]


class Task(NamedTuple):
    """A stage ready to run.

    Attributes:
      init: (key, image [B H W 3]) -> parameters.
      loss: (parameters, constants, image [B H W 3] in [-1, 1], key) -> Outcome.
      needs_lpips: whether `constants` must hold the LPIPS-VGG weights under "lpips".
    """

    init: Callable[[Array, Array], Any]
    loss: Callable[[Any, Any, Array, Array], Outcome]
    needs_lpips: bool


def _image_terms(
    config: LossConfig, constants: Any, image: Array, recon: Array, key: Array
) -> tuple[Array, dict[str, Array]]:
    """Image loss without the adversarial term (spec §15.4)."""
    crops = objectives.random_crops(key, image, recon, config.lpips_crop)
    lpips = LPIPS("vgg").apply({"params": constants["lpips"]}, *crops).mean()
    l1 = objectives.absolute_error(image, recon).mean()
    metrics = {"l1": l1, "lpips": lpips}
    return config.l1 * l1 + config.lpips * lpips, metrics


def _autoencode(model_config: DLFConfig, config: LossConfig) -> Task:
    """The VQGAN alone: L1, LPIPS and the codebook terms, straight-through."""
    vqgan = VQGAN(model_config.vqgan)

    def init(key: Array, image: Array) -> Any:
        return {"vqgan": vqgan.init(key, image)["params"]}

    def loss(params: Any, constants: Any, image: Array, key: Array) -> Outcome:
        out = vqgan.apply({"params": params["vqgan"]}, image)
        value, metrics = _image_terms(config, constants, image, out.recon, key)
        vq = objectives.vq_loss(out.vq.codebook_loss, out.vq.commitment_loss)
        return Outcome(
            loss=value + config.codebook * vq,
            metrics=metrics | {"vq": vq},
            codes={VQGAN_CODEBOOK: out.vq.indices},
        )

    return Task(init, loss, needs_lpips=True)


TASKS: Mapping[str, Callable[[DLFConfig, LossConfig], Task]] = {
    "autoencode": _autoencode,
}
