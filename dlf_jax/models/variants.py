"""Named sizes: a name and a literal configuration for each variant."""

from collections.abc import Mapping
from types import MappingProxyType

from dlf_jax.models.config import DLFConfig, TrunkConfig, VQGANConfig

_VARIANTS = {
    # The released sizes of the paper (ICCV 2025): 1.24 G parameters at inference.
    "dlf-l": DLFConfig(
        encoder=TrunkConfig(width=1024, num_layers=24, num_heads=16),
        decoder=TrunkConfig(width=1024, num_layers=24, num_heads=16),
        encoder_interactions=(3, 7, 11, 15, 19),
        decoder_interactions=(3, 7, 11, 15, 19),
    ),
    # For machines without an accelerator: 128-px tiles, four rate points, and no
    # attention in the VQGAN, so that small training crops carry over to large photos.
    "dlf-nano": DLFConfig(
        encoder=TrunkConfig(width=128, num_layers=3, num_heads=4),
        decoder=TrunkConfig(width=128, num_layers=4, num_heads=4),
        encoder_interactions=(0, 2),
        decoder_interactions=(1, 3),
        num_interaction_blocks=1,
        grid=8,
        window=8,
        head_width=32,
        num_tokens=8,
        codebook_size=1024,
        token_width=8,
        detail_width=96,
        stem_channels=32,
        latent_channels=32,
        num_spatial_blocks=1,
        num_rates=4,
        fusion_width=128,
        vqgan=VQGANConfig(
            patch=4,
            channels=64,
            multipliers=(1, 2, 3),
            num_res_blocks=1,
            attention_levels=(),
            mid_attention=False,
            z_channels=64,
            embed_dim=64,
            num_codes=256,
            norm_groups=0,
            linear_path=True,
            texture_channels=16,
        ),
    ),
    # A toy with every kind of part, for smoke tests of training.
    "dlf-smoke": DLFConfig(
        encoder=TrunkConfig(width=16, num_layers=1, num_heads=1),
        decoder=TrunkConfig(width=16, num_layers=1, num_heads=1),
        encoder_interactions=(),
        decoder_interactions=(0,),
        num_interaction_blocks=1,
        num_stage_blocks=1,
        num_detail_in_blocks=2,
        num_detail_out_blocks=1,
        num_fusion_in_blocks=1,
        num_fusion_blocks=2,
        patch_size=8,
        grid=4,
        window=4,
        head_width=16,
        num_tokens=4,
        codebook_size=64,
        token_width=4,
        detail_width=16,
        latent_channels=8,
        num_spatial_blocks=1,
        fusion_width=16,
        vqgan=VQGANConfig(
            channels=16,
            multipliers=(1, 1),
            num_res_blocks=1,
            attention_levels=(),
            mid_attention=False,
            z_channels=16,
            embed_dim=16,
            num_codes=32,
            norm_groups=0,
            patch=4,
        ),
    ),
}

VARIANTS: Mapping[str, DLFConfig] = MappingProxyType(_VARIANTS)
