"""The sizes of an official network as this package states them."""

from typing import Any

from dlf_jax.models.config import DLFConfig, TrunkConfig, VQGANConfig


def official_config(sizes: dict[str, Any]) -> DLFConfig:
    """Returns the configuration for the ``config.json`` of golden data."""
    encoder, decoder = (
        TrunkConfig(sizes[side]["width"], sizes[side]["layers"], sizes[side]["heads"])
        for side in ("enc", "dec")
    )
    return DLFConfig(
        encoder=encoder,
        decoder=decoder,
        encoder_interactions=tuple(sizes["in_pos_enc"]),
        decoder_interactions=tuple(sizes["in_pos_dec"]),
        num_interaction_blocks=sizes["n_attn"],
        codebook_size=sizes["codebook_size"],
        token_width=sizes["token_size"],
        detail_width=sizes["feat_dim"],
        latent_channels=sizes["quant_dim"],
        fusion_width=sizes["inner_width"],
        vqgan=VQGANConfig(
            channels=sizes["vq_ch"],
            multipliers=tuple(sizes["vq_ch_mult"]),
            num_res_blocks=sizes["vq_res"],
            z_channels=sizes["vq_z"],
            embed_dim=sizes["vq_embed_dim"],
            num_codes=sizes["vq_n_embed"],
        ),
    )
