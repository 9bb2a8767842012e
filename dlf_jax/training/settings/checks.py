"""Checks of the settings of a stage: each by itself, then contradictions."""

from collections.abc import Iterator

import ml_collections

from dlf_jax.errors import UserError
from dlf_jax.training.losses.table import IMAGE_TERMS, LossConfig
from dlf_jax.training.settings.sizes import model_config
from dlf_jax.training.settings.table import check_all_values
from dlf_jax.training.stages.table import STAGES
from dlf_jax.training.stages.task import Task

_DISCRIMINATOR_SIDE = 32  # pixels; the discriminator reduces shorter sides to nothing


def check_settings(config: ml_collections.ConfigDict) -> None:
    """Raises UserError if settings are out of range or contradict each other."""
    check_all_values(config.to_dict())
    for problem in _contradictions(config):
        raise UserError(problem)


def _contradictions(config: ml_collections.ConfigDict) -> Iterator[str]:
    """Messages about settings that exclude each other or would have no effect."""
    model = model_config(config.model.to_dict())
    task = STAGES[config.stage].task(model, LossConfig(**config.loss))
    for name, side in _sides(config).items():
        if side % task.crop_unit:
            yield f"{name} must be a multiple of {task.crop_unit}, not {side}"
    yield from _of_schedules(config, has_rates=task.has_rates)
    yield from _of_rates(config, model.num_rates)
    if task.has_image_loss:
        yield from _of_images(config, task)


def _sides(config: ml_collections.ConfigDict) -> dict[str, int]:
    """Sides of the crops of training and validation, by setting."""
    sides = {"crop.size": config.crop.size}
    if config.validation.photos:
        sides["validation.size"] = config.validation.size
    return sides


def _of_schedules(
    config: ml_collections.ConfigDict, *, has_rates: bool
) -> Iterator[str]:
    steps = config.steps
    if config.optimizer.warmup_steps >= steps:
        yield (
            f"optimizer.warmup_steps must be below steps, {steps}, not "
            f"{config.optimizer.warmup_steps}"
        )
    if has_rates and config.lmbda_warmup > steps:
        yield f"lmbda_warmup must be at most steps, {steps}, not {config.lmbda_warmup}"
    if config.profile[1] > steps:
        yield f"profile must end by the last of {steps} steps, not {config.profile}"


def _of_rates(config: ml_collections.ConfigDict, num_rates: int) -> Iterator[str]:
    for name in ("lmbda", "bpp_window"):
        count = len(config[name])
        if count != num_rates and (count or name == "lmbda"):
            yield (
                f"{name} must have a tuple for every rate point of the model, "
                f"{num_rates} in all, not {count}"
            )
    starts = [weights[0] for weights in config.lmbda]
    if starts != sorted(starts, reverse=True):
        yield (
            "lmbda must begin with the largest weights, for the lowest rate, not "
            f"{config.lmbda}"
        )


def _of_images(config: ml_collections.ConfigDict, task: Task) -> Iterator[str]:
    """Contradictions of the image loss."""
    loss, whole, cell = config.loss, config.crop.size, task.model.patch_size
    decoding = "loss.decode_crop" if task.decodes_crops and loss.decode_crop else None
    limit = loss.decode_crop if decoding else whole
    if decoding and limit % cell:
        yield f"{decoding} must be a multiple of {cell}, not {limit}"
    if decoding and limit > whole:
        yield f"{decoding} must be at most crop.size, {whole}, not {limit}"
    least = {
        row.weight: max(row.least_side, row.least_cells * cell)
        for row in IMAGE_TERMS
        if loss[row.weight]
    }
    if loss.adversarial:
        least["adversarial"] = _DISCRIMINATOR_SIDE
    for name, side in _sides(config).items():
        for term, pixels in least.items():
            if min(side, limit) < pixels:
                yield (
                    f"loss.{term} needs {pixels} pixels a side: raise "
                    f"{decoding if limit < side and decoding else name}, "
                    f"{min(side, limit)}, or set it to 0"
                )
    images = config.batch_size // config.accumulate
    if loss.lpips_vgg or loss.dists:
        if loss.perceptual_crop > limit:
            yield (
                f"loss.perceptual_crop must be at most {decoding or 'crop.size'}, "
                f"{limit}, not {loss.perceptual_crop}"
            )
        if loss.perceptual_images > images:
            yield (
                "loss.perceptual_images must be at most batch_size / accumulate, "
                f"{images}, not {loss.perceptual_images}"
            )
    if loss.adversarial:
        if config.adversarial_start >= config.steps:
            yield (
                f"adversarial_start must be below steps, {config.steps}, not "
                f"{config.adversarial_start}; or set loss.adversarial to 0"
            )
        if images % (loss.discriminator_images or 1):
            yield (
                "loss.discriminator_images must divide batch_size / accumulate, "
                f"{images}, unlike {loss.discriminator_images}"
            )
