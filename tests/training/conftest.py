"""A codec small enough to train in a test."""

import jax
import jax.numpy as jnp
import pytest

from dlf_jax.models.config import DLFConfig, TrunkConfig, VQGANConfig
from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.training.tasks import LossConfig

_LPIPS_DIVISOR = 32


@pytest.fixture(scope="session")
def tiny_config() -> DLFConfig:
    """Tiles of 16 pixels, two rate points."""
    trunk = TrunkConfig(width=8, num_layers=1, num_heads=1)
    return DLFConfig(
        encoder=trunk,
        decoder=trunk,
        encoder_interactions=(0,),
        decoder_interactions=(0,),
        num_interaction_blocks=1,
        patch_size=4,
        grid=4,
        window=4,
        head_width=4,
        num_tokens=2,
        codebook_size=16,
        token_width=4,
        detail_width=8,
        latent_channels=4,
        num_rates=2,
        fusion_width=8,
        vqgan=VQGANConfig(
            channels=4,
            multipliers=(1, 1, 1),
            num_res_blocks=1,
            attention_levels=(),
            mid_attention=False,
            z_channels=4,
            embed_dim=4,
            num_codes=8,
            norm_groups=2,
        ),
    )


@pytest.fixture(scope="session")
def loss_config() -> LossConfig:
    """Loss of the tiny codec."""
    return LossConfig(lpips_crop=16, lpips_channel_divisor=_LPIPS_DIVISOR)


@pytest.fixture(scope="session")
def lpips_params():
    """Random weights of a narrow LPIPS network."""
    image = jnp.zeros((1, 16, 16, 3))
    init = jax.jit(LPIPS("vgg", _LPIPS_DIVISOR).init)
    return init(jax.random.key(1), image, image)["params"]
