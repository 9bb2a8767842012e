"""Checks of the settings of a stage: each by itself, then contradictions."""

from collections.abc import Iterator

import ml_collections

from dlf_jax.errors import UserError
from dlf_jax.models.variants import VARIANTS
from dlf_jax.training.settings.table import check_all_values
from dlf_jax.training.stages.table import STAGES

# Pixels a side that the networks of the image loss reduce to nothing below.
_LEAST_SIDE = {"lpips": 16, "dists": 16, "lpips_alex": 32, "adversarial": 32}


def check_settings(config: ml_collections.ConfigDict) -> None:
    """Raises UserError where settings make no sense, whatever the devices."""
    check_all_values(config.to_dict())
    for problem in _contradictions(config):
        raise UserError(problem)


def _contradictions(config: ml_collections.ConfigDict) -> Iterator[str]:
    """Lines about settings that others rule out, or would silently ignore."""
    objective, model = STAGES[config.stage].objective, VARIANTS[config.model]
    # The VQGAN alone needs no whole tile.
    unit = model.patch_size if objective == "autoencode" else model.tile_size
    for name, side in _sides(config).items():
        if side % unit:
            yield f"{name} must be a multiple of {unit}, not {side}"
    yield from _of_schedules(config, coded=objective not in ("autoencode", "tokenize"))
    yield from _of_rates(config, model.num_rates)
    if objective == "reconstruct" and config.loss.decode_crop:
        yield from _of_decoding(config, model.patch_size)
        yield from _of_images(config, model.patch_size, "loss.decode_crop")
    elif objective in ("autoencode", "reconstruct"):
        yield from _of_images(config, model.patch_size)


def _sides(config: ml_collections.ConfigDict) -> dict[str, int]:
    """Sides of the crops of training and validation, by setting."""
    sides = {"crop.size": config.crop.size}
    if config.validation.photos:
        sides["validation.size"] = config.validation.size
    return sides


def _of_schedules(config: ml_collections.ConfigDict, *, coded: bool) -> Iterator[str]:
    steps = config.steps
    if config.optimizer.warmup_steps >= steps:
        yield (
            f"optimizer.warmup_steps must be below steps, {steps}, not "
            f"{config.optimizer.warmup_steps}"
        )
    if coded and config.lmbda_warmup > steps:
        yield f"lmbda_warmup must be at most steps, {steps}, not {config.lmbda_warmup}"
    if config.profile[1] > steps:
        yield f"profile must end by the last of {steps} steps, not {config.profile}"


def _of_rates(config: ml_collections.ConfigDict, num_rates: int) -> Iterator[str]:
    for name in ("lmbda", "bpp_window"):
        count = len(config[name])
        if count != num_rates and (count or name == "lmbda"):
            yield (
                f"{name} must have a tuple for every rate point of {config.model}, "
                f"{num_rates} in all, not {count}"
            )
    starts = [weights[0] for weights in config.lmbda]
    if starts != sorted(starts, reverse=True):
        yield (
            "lmbda must begin with the largest weights, for the lowest rate, not "
            f"{config.lmbda}"
        )


def _of_decoding(config: ml_collections.ConfigDict, cell: int) -> Iterator[str]:
    size, whole = config.loss.decode_crop, config.crop.size
    if size % cell:
        yield f"loss.decode_crop must be a multiple of {cell}, not {size}"
    if size > whole:
        yield f"loss.decode_crop must be at most crop.size, {whole}, not {size}"


def _of_images(
    config: ml_collections.ConfigDict, cell: int, decoding: str | None = None
) -> Iterator[str]:
    """Contradictions of the image loss.

    Args:
      config: settings.
      cell: pixels a side.
      decoding: setting that limits the decoded side.
    """
    loss = config.loss
    least = {term: side for term, side in _LEAST_SIDE.items() if loss[term]}
    least |= {"blockiness": 2 * cell} if loss.blockiness else {}
    limit = loss.decode_crop if decoding else config.crop.size
    for name, side in _sides(config).items():
        for term, pixels in least.items():
            if min(side, limit) < pixels:
                yield (
                    f"loss.{term} needs {pixels} pixels a side: raise "
                    f"{decoding if limit < side and decoding else name}, "
                    f"{min(side, limit)}, or set it to 0"
                )
    images = config.batch_size // config.accumulate
    if loss.lpips or loss.dists:
        if loss.lpips_crop > limit:
            yield (
                f"loss.lpips_crop must be at most {decoding or 'crop.size'}, {limit}, "
                f"not {loss.lpips_crop}"
            )
        if loss.lpips_images > images:
            yield (
                f"loss.lpips_images must be at most batch_size / accumulate, {images}, "
                f"not {loss.lpips_images}"
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
