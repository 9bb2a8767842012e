"""Encoder and decoder that interleave the semantic and the detail branch.

Both run their trunk layer by layer; after some layers an `InteractionStage` lets the
branches attend to each other and then advances the detail branch.  See
docs/architecture.md#dual-branch-encoder and docs/architecture.md#dual-branch-decoder.
"""

from flax import linen as nn

from dlf_jax.models.config import DLFConfig, VQGANConfig
from dlf_jax.models.interaction import InteractionStage
from dlf_jax.models.titok import SemanticDecoder, SemanticEncoder
from dlf_jax.models.vqgan import VQGANEncoder
from dlf_jax.nn.layers import Conv, Dense, LayerNorm
from dlf_jax.nn.swin import SwinGroup
from dlf_jax.ops.tiling import from_tiles, pixel_shuffle, to_tiles
from dlf_jax.typing import Array, Float


def _stem_config(config: DLFConfig) -> VQGANConfig:
    """Sizes of the stem: three levels, the last one on the grid of cells."""
    return VQGANConfig(
        channels=config.stem_channels,
        multipliers=(1, 2, 2),
        num_res_blocks=1,
        attention_levels=(),
        mid_attention=False,
        z_channels=config.detail_width,
        norm_groups=0,
        patch=config.patch_size // 4,
        linear_path=True,
    )


class DualBranchEncoder(nn.Module):
    """Image to semantic token vectors and detail features at half the cell grid."""

    config: DLFConfig

    def setup(self):
        cfg = self.config
        size = cfg.patch_size
        self.patch_embed = Conv(cfg.encoder.width, (size, size), strides=size)
        self.semantic = SemanticEncoder(cfg)
        self.detail_embed = Dense(cfg.detail_width)
        if cfg.stem_channels:
            self.stem = VQGANEncoder(_stem_config(cfg))
            zeros = nn.initializers.zeros
            self.stem_out = Dense(cfg.detail_width, kernel_init=zeros)
        self.detail_in = SwinGroup(cfg.num_detail_in_blocks, cfg.window, cfg.head_width)
        self.stages = {
            str(i): InteractionStage(cfg, name=f"stage_{i}")
            for i in cfg.encoder_interactions
        }
        self.detail_out = SwinGroup(
            cfg.num_detail_out_blocks, cfg.window, cfg.head_width
        )
        self.downsample = Conv(cfg.detail_width, (2, 2), strides=2)
        self.norm_out = LayerNorm()
        self.project_out = Dense(cfg.detail_width)

    def __call__(
        self, image: Float[Array, "B H W 3"]
    ) -> tuple[Float[Array, "T K E"], Float[Array, "B h w F"]]:
        """Runs both branches.

        Args:
          image: in [-1, 1], sides multiples of the tile size.

        Returns:
          Token vectors of every tile, and detail features at 1/detail_stride.
        """
        cells = self._embed(image)
        detail = self.detail_embed(cells)
        if self.config.stem_channels:
            detail += self.stem_out(self.stem(image))
        detail = self.detail_in(detail)
        seq = self.semantic.embed(to_tiles(cells, self.config.grid))
        for i in range(self.config.encoder.num_layers):
            seq = self.semantic.block(i, seq)
            if str(i) in self.stages:
                detail, seq = self.stages[str(i)](detail, seq)
        detail = self.norm_out(self.downsample(self.detail_out(detail)))
        return self.semantic.readout(seq), self.project_out(detail)

    def semantic_only(self, image: Float[Array, "B H W 3"]) -> Float[Array, "T K E"]:
        """Token vectors without the detail branch, as in tokenizer training."""
        seq = self.semantic.embed(to_tiles(self._embed(image), self.config.grid))
        for i in range(self.config.encoder.num_layers):
            seq = self.semantic.block(i, seq)
        return self.semantic.readout(seq)

    def _embed(self, image: Float[Array, "B H W 3"]) -> Float[Array, "B h w D"]:
        """Embedded cells; TiTok's patch embedding was trained on images in [0, 1]."""
        return self.patch_embed(0.5 * image + 0.5)


class DualBranchDecoder(nn.Module):
    """Code vectors and detail features to two feature maps on the cell grid."""

    config: DLFConfig

    def setup(self):
        cfg = self.config
        self.semantic = SemanticDecoder(cfg)
        self.upsample = Dense(4 * cfg.detail_width)
        self.detail_in = SwinGroup(cfg.num_detail_in_blocks, cfg.window, cfg.head_width)
        self.stages = {
            str(i): InteractionStage(cfg, name=f"stage_{i}")
            for i in cfg.decoder_interactions
        }

    def __call__(
        self, codes: Float[Array, "T K E"], detail: Float[Array, "B h w F"]
    ) -> tuple[Float[Array, "B H W D"], Float[Array, "B H W F"]]:
        """Runs both branches.

        Args:
          codes: code vectors of every tile's tokens.
          detail: decoded detail features at 1/detail_stride.

        Returns:
          Semantic and detail features on the cell grid.
        """
        detail = self.detail_in(pixel_shuffle(self.upsample(detail), 2))
        seq = self.semantic.embed(codes)
        for i in range(self.config.decoder.num_layers):
            seq = self.semantic.block(i, seq)
            if str(i) in self.stages:
                detail, seq = self.stages[str(i)](detail, seq)
        _, height, width, _ = detail.shape
        tile_grid = (height // self.config.grid, width // self.config.grid)
        return from_tiles(self.semantic.readout(seq), tile_grid), detail

    def semantic_only(
        self, codes: Float[Array, "T K E"], tile_grid: tuple[int, int]
    ) -> Float[Array, "B H W D"]:
        """Semantic features without the detail branch, as in tokenizer training."""
        seq = self.semantic.embed(codes)
        for i in range(self.config.decoder.num_layers):
            seq = self.semantic.block(i, seq)
        return from_tiles(self.semantic.readout(seq), tile_grid)
