"""Shared fixtures of training tests."""

import jax
import jax.numpy as jnp
import pytest

from dlf_jax.models.config import DLFConfig
from dlf_jax.training.losses.table import LossConfig
from dlf_jax.training.stages.table import STAGES
from tests.training import tiny


@pytest.fixture(scope="session")
def tiny_config() -> DLFConfig:
    """Tiles of 16 pixels, two rate points."""
    return tiny.TINY


@pytest.fixture(scope="session")
def loss_config() -> LossConfig:
    """Loss of the tiny codec."""
    return LossConfig(perceptual_crop=16, perceptual_channel_divisor=tiny.LPIPS_DIVISOR)


@pytest.fixture(scope="session")
def lpips_params():
    """Random weights of a narrow LPIPS network."""
    return tiny.lpips_params()


@pytest.fixture(scope="session")
def shapes(tiny_config, loss_config):
    """Parameter shapes of every stage of the tiny codec."""
    image = jnp.zeros((1, 16, 16, 3))

    def init(stage):
        task = stage.task(tiny_config, loss_config)
        return jax.eval_shape(task.init, jax.random.key(0), image)

    shapes = {name: init(STAGES[name]) for name in ("vqgan", "tokenizer", "align")}
    return {name: shapes.get(name, shapes["align"]) for name in STAGES}
