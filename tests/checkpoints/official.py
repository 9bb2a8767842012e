"""Random checkpoints with the names and shapes of official ones, of any sizes."""

import dataclasses

import numpy as np

from dlf_jax.checkpoints.infer import Heads
from dlf_jax.checkpoints.name_map import name_map
from dlf_jax.models.config import DLFConfig, TrunkConfig, VQGANConfig
from tests.random_params import constructed_masks


def random_config(seed: int) -> DLFConfig:
    """Sizes that have little in common, with heads that no shape shows."""
    rng = np.random.default_rng(seed)

    def pick(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    def subset(count: int) -> tuple[int, ...]:
        return tuple(np.flatnonzero(rng.random(count) < 0.5).tolist())

    def trunk() -> TrunkConfig:
        return TrunkConfig(64 * pick(1, 3), pick(1, 4), num_heads=2 ** pick(0, 3))

    encoder, decoder = trunk(), trunk()
    inside = subset(encoder.num_layers), subset(decoder.num_layers)
    window, num_levels = 2 * pick(1, 2), pick(2, 4)
    return DLFConfig(
        encoder=encoder,
        decoder=decoder,
        encoder_interactions=inside[0],
        decoder_interactions=inside[1],
        num_interaction_blocks=pick(1, 3) if any(inside) else 0,
        num_stage_blocks=pick(1, 3) if any(inside) else 0,
        num_detail_in_blocks=pick(1, 5),
        num_detail_out_blocks=pick(1, 3),
        num_fusion_in_blocks=pick(1, 3),
        num_fusion_blocks=pick(1, 5),
        patch_size=2 ** (num_levels - 1),
        window=window,
        grid=window * pick(1, 2),
        num_tokens=pick(2, 9),
        codebook_size=pick(2, 40),
        token_width=pick(2, 9),
        detail_width=64 * pick(1, 2),
        latent_channels=4 * pick(1, 5),
        num_spatial_blocks=pick(1, 4),
        num_rates=pick(1, 3),
        fusion_width=64 * pick(1, 2),
        vqgan=VQGANConfig(
            channels=32,
            multipliers=tuple(pick(1, 3) for _ in range(num_levels)),
            num_res_blocks=pick(1, 3),
            attention_levels=subset(num_levels),
            mid_attention=pick(0, 3) > 0,
            z_channels=pick(3, 20),
            embed_dim=pick(3, 20),
            num_codes=pick(3, 20),
        ),
    )


def _small_config() -> DLFConfig:
    config = random_config(0)
    # With a level of the least width, it is found without the VQGAN's encoder too; with
    # two blocks, the fusion ends with masks.
    vqgan = dataclasses.replace(config.vqgan, multipliers=(1, 2, 1))
    return dataclasses.replace(config, vqgan=vqgan, num_fusion_blocks=2)


CONFIG = _small_config()
HEADS = Heads(CONFIG.encoder.num_heads, CONFIG.decoder.num_heads)


def random_state(
    config: DLFConfig, seed: int, kind: str = "dlf"
) -> dict[str, np.ndarray]:
    """A complete state dict of distinct random values, masks included."""
    rng = np.random.default_rng(seed)
    masks = constructed_masks(config.window)
    return {
        name: rng.standard_normal(entry.shape, np.float32)
        + masks.get(name.rpartition(".")[2], np.float32(0))
        for name, entry in name_map(config, kind).items()
    }
