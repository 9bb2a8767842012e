"""A codec small enough to train in a test, and the shipped settings cut down to it."""

import functools
import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_collections

from dlf_jax.models.config import DLFConfig, TrunkConfig, VQGANConfig
from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.training.losses.table import LossConfig
from dlf_jax.typing import Params

LPIPS_DIVISOR = 32

_TRUNK = TrunkConfig(width=8, num_layers=1, num_heads=1)

# Tiles of 16 pixels, two rate points.
TINY = DLFConfig(
    encoder=_TRUNK,
    decoder=_TRUNK,
    encoder_interactions=(0,),
    decoder_interactions=(0,),
    num_interaction_blocks=1,
    num_stage_blocks=1,
    num_detail_in_blocks=2,
    num_detail_out_blocks=1,
    num_fusion_in_blocks=1,
    num_fusion_blocks=2,
    patch_size=4,
    grid=4,
    window=4,
    head_width=4,
    num_tokens=2,
    codebook_size=16,
    token_width=4,
    detail_width=8,
    latent_channels=4,
    num_spatial_blocks=1,
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


def shipped_config(stage: str) -> ml_collections.ConfigDict:
    """Settings of preset nano for `TINY`; its images are those of one tile."""
    path = Path(__file__).resolve().parents[2] / "configs" / "dlf.py"
    spec = importlib.util.spec_from_file_location("shipped_config", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config(f"preset=nano,stage={stage}")
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
