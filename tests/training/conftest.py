"""What tests of training share."""

import pytest

from dlf_jax.models.config import DLFConfig
from dlf_jax.training.losses.table import LossConfig
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
