"""Joint attention that removes what the two branches share.

See docs/architecture.md#interaction.
"""

import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.models.config import DLFConfig
from dlf_jax.nn.convnext import ConvNeXtBlock
from dlf_jax.nn.layers import Dense, LayerNorm
from dlf_jax.nn.swin import SwinGroup
from dlf_jax.nn.transformer import TransformerBlock
from dlf_jax.ops.tiling import from_tiles, to_tiles
from dlf_jax.typing import Array, Float


class CrossBranchInteraction(nn.Module):
    """Attention over a tile's semantic sequence and detail cells together.

    Both residuals start from the streams *without* the position terms.

    Attributes:
      num_blocks: transformer blocks over the joint sequence.
      head_width: channels of one attention head.
      grid: cells a side of a tile.
    """

    num_blocks: int
    head_width: int
    grid: int

    @nn.compact
    def __call__(
        self, detail: Float[Array, "B H W F"], seq: Float[Array, "T S D"]
    ) -> tuple[Float[Array, "B H W F"], Float[Array, "T S D"]]:
        length, seq_width = seq.shape[1:]
        width = detail.shape[-1]
        cells = to_tiles(detail, self.grid)
        tile_grid = (detail.shape[1] // self.grid, detail.shape[2] // self.grid)

        zeros = nn.initializers.zeros
        seq_positions = self.param("semantic_positions", zeros, (length, seq_width))
        cell_positions = self.param("detail_positions", zeros, (cells.shape[1], width))
        joint = jnp.concatenate(
            [
                Dense(width, name="semantic_in")(seq + seq_positions),
                cells + cell_positions,
            ],
            axis=1,
        )
        for i in range(self.num_blocks):
            joint = TransformerBlock(width // self.head_width, name=f"block_{i}")(joint)

        to_detail = LayerNorm(name="detail_norm")(joint[:, length:])
        cells = cells + Dense(width, kernel_init=zeros, name="detail_out")(to_detail)

        to_seq = Dense(2 * width, name="semantic_hidden")(joint[:, :length])
        to_seq = nn.silu(LayerNorm(name="semantic_norm")(to_seq))
        seq = seq + Dense(seq_width, kernel_init=zeros, name="semantic_out")(to_seq)
        return from_tiles(cells, tile_grid), seq


class InteractionStage(nn.Module):
    """An interaction, followed by a stage of the detail branch."""

    config: DLFConfig

    @nn.compact
    def __call__(
        self, detail: Float[Array, "B H W F"], seq: Float[Array, "T S D"]
    ) -> tuple[Float[Array, "B H W F"], Float[Array, "T S D"]]:
        cfg = self.config
        detail, seq = CrossBranchInteraction(
            cfg.num_interaction_blocks, cfg.head_width, cfg.grid, name="cross"
        )(detail, seq)
        detail = SwinGroup(
            cfg.num_stage_blocks, cfg.window, cfg.head_width, name="swin"
        )(detail)
        for i in range(cfg.num_stage_blocks):
            detail = ConvNeXtBlock(name=f"convnext_{i}")(detail)
        return detail, seq
