"""Sizes of a codec that compiles in seconds, from which tests derive their own."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from dlf_jax.models.config import DLFConfig, TrunkConfig, VQGANConfig
from dlf_jax.models.dlf import DLF

# A tile of 16 pixels is one window; two rate points.
_TINY = DLFConfig(
    encoder=TrunkConfig(width=8, num_layers=1, num_heads=1),
    decoder=TrunkConfig(width=8, num_layers=1, num_heads=1),
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


def tiny(**changes: Any) -> DLFConfig:
    """Returns the tiny sizes with changed fields.

    Args:
      changes: new values of fields; of a trunk or the VQGAN, a dictionary of those
        fields of it that change.
    """
    for name in ("encoder", "decoder", "vqgan"):
        part = dataclasses.replace(getattr(_TINY, name), **changes.get(name, {}))
        changes[name] = part
    return dataclasses.replace(_TINY, **changes)


def parameter_shapes(config: DLFConfig) -> Any:
    """Shapes of all parameters, with those of the VQGAN's encoder."""

    def touch_everything(model, image):
        model(image, jnp.zeros(1, jnp.int32))
        model.vqgan(image)

    model, side = DLF(config), config.tile_size
    return jax.eval_shape(
        lambda key, x: model.init(key, x, method=touch_everything)["params"],
        jax.random.key(0),
        jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32),
    )
