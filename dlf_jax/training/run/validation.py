"""What a network in training makes of photos that it is not trained on."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.metrics.perceptual import lpips
from dlf_jax.metrics.psnr import psnr
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dlf import DLF
from dlf_jax.models.vqgan import VQGAN
from dlf_jax.ops.pixels import to_signed, to_uint8
from dlf_jax.training.step.train_step import Metrics, mean_metrics
from dlf_jax.typing import Array, UInt8

_NUM_PICTURES = 4  # photos that are shown
_MIN_LPIPS_SIDE = 32  # AlexNet reduces shorter sides to nothing


@dataclasses.dataclass(frozen=True)
class Findings:
    """Means over the validation photos.

    Attributes:
      metrics: the loss and its terms; PSNR, LPIPS and, of a codec, bpp of every rate
        point; by name.
      bpp: rounded bits per pixel of the detail branch for every rate point; empty where
        nothing is coded.
      pictures: some photos, each beside what every rate point made of it, by name.
    """

    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    bpp: list[float] = dataclasses.field(default_factory=list)
    pictures: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


def make_validate(
    objective: str,
    config: DLFConfig,
    photos: UInt8[np.ndarray, "N S S 3"],
    eval_step: Callable[[Any, Any, Array], Metrics],
    *,
    batch_size: int,
    sharded: jax.sharding.Sharding,
    replicated: jax.sharding.Sharding,
    compiler_options: Mapping[str, Any],
) -> Callable[[Any, Any], Findings]:
    """Builds the validation of a stage: (parameters, constants) -> `Findings`.

    Args:
      objective: of the stage, a key of `dlf_jax.training.stages.tasks.TASKS`; one that
        makes no images has nothing but its loss.
      config: of the model.
      photos: the same on every process; the side is a multiple of the tile.
      eval_step: see `dlf_jax.training.step.train_step.make_eval_step`.
      batch_size: photos that go through the network at once, over all devices; the last
        batch is filled up with the first photos.
      sharded, replicated: placement of a batch, and of results.
      compiler_options: of XLA.

    Raises:
      UserError: LPIPS's weights are needed and cannot be fetched.

    Reference: docs/architecture.md#rate-control: whole photos, rounded symbols.
    """
    if not len(photos):
        return lambda params, constants: Findings()
    coded = objective != "autoencode"
    num_rates = {"autoencode": 1, "tokenize": 0}.get(objective, config.num_rates)
    with_lpips = num_rates > 0 and photos.shape[1] >= _MIN_LPIPS_SIDE
    if with_lpips:
        # What is missing shows before the run begins.
        lpips(photos[:1], photos[:1], net="alex")

    def reconstruct(params: Any, batch: Array, rate: Array) -> tuple[Array, Array]:
        """Images as uint8, and bits of the detail branch."""
        image = to_signed(batch)
        if coded:
            model = DLF(config)
            params = {k: v for k, v in params.items() if k != "discriminator"}
            out = model.apply({"params": params}, image, jnp.full(len(image), rate))
            recon = model.apply({"params": params}, out.latent, method="reconstruct")
            bits = out.bits_rounded
        else:
            vqgan = {"params": params["vqgan"]}
            recon = VQGAN(config.vqgan).apply(vqgan, image).recon
            bits = jnp.zeros(len(image))
        return to_uint8(recon), bits

    reconstruct = jax.jit(
        reconstruct, out_shardings=replicated, compiler_options=dict(compiler_options)
    )

    batches = []
    for start in range(0, len(photos), batch_size):
        batch = photos[np.arange(start, start + batch_size) % len(photos)]
        batches.append(
            jax.make_array_from_callback(batch.shape, sharded, batch.__getitem__)
        )

    def run(params: Any, rate: int) -> tuple[np.ndarray, np.ndarray]:
        """Images and bits of all photos at one rate."""
        parts = [reconstruct(params, batch, jnp.int32(rate)) for batch in batches]
        recon, bits = map(np.concatenate, zip(*jax.device_get(parts), strict=True))
        return recon[: len(photos)], bits[: len(photos)]

    def validate(params: Any, constants: Any) -> Findings:
        metrics = mean_metrics([eval_step(params, constants, b) for b in batches])
        bpp, recons = [], []
        for rate in range(num_rates):
            recon, bits = run(params, rate)
            metrics[f"psnr/{rate}"] = float(np.mean(psnr(photos, recon)))
            if with_lpips:
                # One at a time, as they fit the memory in which one fits.
                pairs = (
                    (photos[i : i + 1], recon[i : i + 1]) for i in range(len(recon))
                )
                distances = [lpips(*pair, net="alex")[0] for pair in pairs]
                metrics[f"lpips_alex/{rate}"] = float(np.mean(distances))
            if coded:
                bpp.append(float(bits.mean()) / photos[0, ..., 0].size)
                metrics[f"bpp/{rate}"] = bpp[-1]
            recons.append(recon)
        pictures = {
            f"photo_{i}": np.concatenate([photos[i], *(r[i] for r in recons)], axis=1)
            for i in range(min(len(photos), _NUM_PICTURES) if recons else 0)
        }
        return Findings(metrics, bpp, pictures)

    return validate
