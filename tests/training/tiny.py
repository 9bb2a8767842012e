"""A codec small enough to train in a test, and the shipped settings cut down to it."""

import functools
import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_collections

from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.training.losses.table import LossConfig
from dlf_jax.typing import Params
from tests import configs

LPIPS_DIVISOR = 32

TINY = configs.tiny()


def shipped_config(stage: str) -> ml_collections.ConfigDict:
    """Settings of preset nano for `TINY`; its images are those of one tile."""
    shipped = Path(__file__).resolve().parents[2] / "configs" / "dlf.py"
    get_config = runpy.run_path(str(shipped))["get_config"]
    config = get_config(f"preset=nano,stage={stage}")
    config.model.update(TINY.to_dict())
    config.quick_compile = True
    config.crop.size = 16
    config.batch_size = 2
    config.lmbda = ((2.0,), (1.0,))
    config.steps, config.revive_every = 4, 3
    config.optimizer.warmup_steps = config.lmbda_warmup = 0
    config.loss.perceptual_crop = 16
    config.loss.decode_crop = 0
    config.loss.lpips_alex = 0.0  # needs 64 pixels
    config.log_every = 2
    config.validation.every = 2
    config.validation.photos = 2
    config.validation.size = 16
    return config


# Takes the place of LossConfig where the networks above judge images.
NarrowLoss = functools.partial(LossConfig, perceptual_channel_divisor=LPIPS_DIVISOR)


def lpips_params(net: str = "vgg") -> Params:
    """Random weights of a narrow LPIPS network."""
    image = jnp.zeros((1, 16, 16, 3))
    init = jax.jit(LPIPS(net, LPIPS_DIVISOR).init)
    return init(jax.random.key(1), image, image)["params"]
