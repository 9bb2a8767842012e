"""Validation on held-out photos: loss, metrics, sample reconstructions."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.compilation import Options
from dlf_jax.metrics.perceptual import lpips
from dlf_jax.metrics.psnr import psnr
from dlf_jax.ops.pixels import to_signed, to_uint8
from dlf_jax.training.stages.task import Task
from dlf_jax.training.step.inputs import StepInputs
from dlf_jax.training.step.train_step import EvalStep, mean_metrics
from dlf_jax.typing import Array, Params, UInt8

_NUM_PICTURES = 4  # photos in the report
_MIN_LPIPS_SIDE = 32  # AlexNet reduces shorter sides to nothing


@dataclasses.dataclass(frozen=True)
class ValidationResult:
    """Means over the validation photos.

    Attributes:
      metrics: by name: the loss and its terms; PSNR, LPIPS and, for a codec, bits per
        pixel at every rate point.
      bpp: bits per pixel of the detail branch at every rate point, with rounded
        symbols; empty where nothing is coded.
      pictures: by name: some photos, each beside its reconstructions at every rate
        point.
    """

    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    bpp: list[float] = dataclasses.field(default_factory=list)
    pictures: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


def make_validate(
    task: Task,
    photos: UInt8[np.ndarray, "N S S 3"],
    eval_step: EvalStep,
    *,
    batch_size: int,
    sharded: jax.sharding.Sharding,
    replicated: jax.sharding.Sharding,
    compiler_options: Options,
) -> Callable[[Params, StepInputs], ValidationResult]:
    """Builds the validation of a stage: (parameters, inputs) -> `ValidationResult`.

    Args:
      task: computation of the stage; one without reconstructions has its loss alone.
      photos: the same on every process; the side is a multiple of the tile.
      eval_step: see `dlf_jax.training.step.train_step.make_eval_step`.
      batch_size: photos in one call of the network, over all devices; the last batch is
        filled up with the first photos.
      sharded, replicated: placement of a batch, and of results.
      compiler_options: options of XLA.

    Raises:
      UserError: the weights of LPIPS are missing and cannot be fetched.

    Reference: docs/architecture.md#rate-control: whole photos, rounded symbols.
    """
    if not len(photos):
        return lambda params, inputs: ValidationResult()
    num_rates = task.num_reconstructions
    with_lpips = num_rates > 0 and photos.shape[1] >= _MIN_LPIPS_SIDE
    if with_lpips:
        # Fail now rather than at the first validation if the weights are missing.
        lpips(photos[:1], photos[:1], net="alex")

    def reconstruct(params: Params, batch: Array, rate: Array) -> tuple[Array, Array]:
        """Images as uint8, and bits of the detail branch; 0 where none are counted."""
        recon, bits = task.reconstruct(params, to_signed(batch), rate)
        return to_uint8(recon), jnp.zeros(len(batch)) if bits is None else bits

    reconstruct = jax.jit(
        reconstruct, out_shardings=replicated, compiler_options=dict(compiler_options)
    )

    batches = []
    for start in range(0, len(photos), batch_size):
        batch = photos[np.arange(start, start + batch_size) % len(photos)]
        batches.append(
            jax.make_array_from_callback(batch.shape, sharded, batch.__getitem__)
        )

    def run(params: Params, rate: int) -> tuple[np.ndarray, np.ndarray]:
        """Images and bits of all photos at one rate."""
        parts = [reconstruct(params, batch, jnp.int32(rate)) for batch in batches]
        recon, bits = map(np.concatenate, zip(*jax.device_get(parts), strict=True))
        return recon[: len(photos)], bits[: len(photos)]

    def validate(params: Params, inputs: StepInputs) -> ValidationResult:
        metrics = mean_metrics([eval_step(params, inputs, b) for b in batches])
        bpp, recons = [], []
        for rate in range(num_rates):
            recon, bits = run(params, rate)
            metrics[f"psnr/{rate}"] = float(np.mean(psnr(photos, recon)))
            if with_lpips:
                # One at a time, to need the memory of one.
                pairs = (
                    (photos[i : i + 1], recon[i : i + 1]) for i in range(len(recon))
                )
                distances = [lpips(*pair, net="alex")[0] for pair in pairs]
                metrics[f"lpips_alex/{rate}"] = float(np.mean(distances))
            if task.has_rates:
                bpp.append(float(bits.mean()) / photos[0, ..., 0].size)
                metrics[f"bpp/{rate}"] = bpp[-1]
            recons.append(recon)
        pictures = {
            f"photo_{i}": np.concatenate([photos[i], *(r[i] for r in recons)], axis=1)
            for i in range(min(len(photos), _NUM_PICTURES) if recons else 0)
        }
        return ValidationResult(metrics, bpp, pictures)

    return validate
