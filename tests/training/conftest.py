"""Shared fixtures of training tests."""

import pytest

from dlf_jax.models.config import DLFConfig
from dlf_jax.training.losses.image import LossConfig
from tests.training import tiny


@pytest.fixture(scope="session")
def tiny_config() -> DLFConfig:
    """Tiles of 16 pixels, two rate points."""
    return tiny.TINY


@pytest.fixture(scope="session")
def loss_config() -> LossConfig:
    """Loss of the tiny codec."""
    return LossConfig(lpips_crop=16, lpips_channel_divisor=tiny.LPIPS_DIVISOR)


@pytest.fixture(scope="session")
def lpips_params():
    """Random weights of a narrow LPIPS network."""
    return tiny.lpips_params()
