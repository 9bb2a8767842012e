"""Sizes of the networks, as typed values."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class TrunkConfig:
    """A ViT trunk: width, number of layers, attention heads.

    See docs/architecture.md#vit-trunk.
    """

    width: int
    num_layers: int
    num_heads: int

    def __post_init__(self):
        if self.width % self.num_heads:
            raise ValueError(f"width {self.width} is no multiple of {self.num_heads}")


@dataclasses.dataclass(frozen=True)
class VQGANConfig:
    """A taming VQGAN (docs/architecture.md#vqgan).

    Attributes:
      channels: width of the finest level.
      multipliers: width of level i is ``channels * multipliers[i]``; level 0 is the
        finest, and each further level halves the resolution.
      num_res_blocks: residual blocks a level in the encoder; the decoder has one more.
      attention_levels: levels with an attention block after every residual block.
      mid_attention: global attention in the middle of encoder and decoder.
      z_channels: channels between the convolutional nets and the 1x1 projections.
      embed_dim: width of a codebook entry.
      num_codes: number of codebook entries.
      norm_groups: groups of every GroupNorm, whose statistics span the whole map, so
        that a network trained on small crops does not generalise to large images.  0
        normalises the channels of each cell separately, independent of the size.
      patch: side of the square of pixels in one cell of the finest level; no layer
        works on single pixels.
      linear_path: add a linear map between the pixels and the channels of a latent cell
        to both convolutional nets, which then end without normalisation.  The linear
        map is learnt within a few hundred steps, the nets alone need thousands.
      texture_channels: channels of noise that the decoder shapes into texture at its
        finest level; 0 for none.
    """

    channels: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    num_res_blocks: int = 2
    attention_levels: tuple[int, ...] = (4,)
    mid_attention: bool = True
    z_channels: int = 256
    embed_dim: int = 256
    num_codes: int = 256
    norm_groups: int = 32
    patch: int = 1
    linear_path: bool = False
    texture_channels: int = 0

    @property
    def stride(self) -> int:
        """Pixels a side of one latent cell."""
        return self.patch * 2 ** (len(self.multipliers) - 1)


@dataclasses.dataclass(frozen=True)
class DLFConfig:
    """Sizes of the codec (docs/architecture.md#data-flow).

    Attributes:
      encoder, decoder: the two semantic trunks, which may differ.
      encoder_interactions, decoder_interactions: trunk layers (0-based) after which a
        cross-branch interaction and a stage of the detail branch follow, ascending.
      num_interaction_blocks: attention blocks in one interaction.
      num_stage_blocks: Swin blocks, and then as many ConvNeXt blocks, between the
        interactions of the detail branch.
      num_detail_in_blocks: Swin blocks before the first interaction, on both sides.
      num_detail_out_blocks: Swin blocks after the encoder's last interaction.
      num_fusion_in_blocks, num_fusion_blocks: Swin blocks of the latent fusion, for
        each branch and for both together.
      patch_size: pixels a side of one cell; equals the stride of the VQGAN.
      grid: cells a side of one tile, the unit of the semantic branch.
      window: cells a side of one Swin window.
      head_width: width of one attention head in the detail branch and the fusion.
      num_tokens, codebook_size, token_width: the semantic code of one tile.
      detail_width: channels of the detail branch.
      stem_channels: width, at the finest level, of a convolutional stem that gives the
        encoder's detail branch the strength of fine texture, which the linear patch
        embedding cannot express; 0 for none.
      latent_channels: channels of the coded detail latent, a multiple of 4.
      num_spatial_blocks: blocks of the context model that all its parts share.
      num_rates: rate points that share these weights.
      fusion_width: inner width of the latent fusion.
      skip_threshold: a symbol whose scale is below this is not coded
        (docs/architecture.md#coding-steps).
      vqgan: the image autoencoder.
    """

    encoder: TrunkConfig
    decoder: TrunkConfig
    encoder_interactions: tuple[int, ...]
    decoder_interactions: tuple[int, ...]
    num_interaction_blocks: int = 2
    num_stage_blocks: int = 2
    num_detail_in_blocks: int = 4
    num_detail_out_blocks: int = 2
    num_fusion_in_blocks: int = 2
    num_fusion_blocks: int = 4
    patch_size: int = 16
    grid: int = 16
    window: int = 16
    head_width: int = 64
    num_tokens: int = 32
    codebook_size: int = 4096
    token_width: int = 12
    detail_width: int = 768
    stem_channels: int = 0
    latent_channels: int = 64
    num_spatial_blocks: int = 3
    num_rates: int = 1
    fusion_width: int = 1024
    skip_threshold: float = 0.12
    vqgan: VQGANConfig = VQGANConfig()

    def __post_init__(self):
        if self.patch_size != self.vqgan.stride:
            raise ValueError("patch_size must equal the stride of the VQGAN")
        if self.grid % self.window or self.grid % 2 or self.window % 2:
            raise ValueError("grid must be a multiple of window, and both even")
        if self.stem_channels and self.patch_size % 4:
            raise ValueError("patch_size must be a multiple of 4 for a stem")
        if self.latent_channels % 4:
            raise ValueError("latent_channels must be a multiple of 4")
        for trunk, layers in (
            (self.encoder, self.encoder_interactions),
            (self.decoder, self.decoder_interactions),
        ):
            inside = [layer for layer in layers if 0 <= layer < trunk.num_layers]
            if list(layers) != sorted(set(inside)):
                raise ValueError("interactions must be ascending trunk layers")

    @property
    def is_local(self) -> bool:
        """True if no layer needs a whole map, as its statistics or for attention."""
        vqgan = self.vqgan
        attention = vqgan.mid_attention or vqgan.attention_levels
        return not (vqgan.norm_groups or attention)

    @property
    def tile_size(self) -> int:
        """Pixels a side of one tile; image sides are padded to multiples of it."""
        return self.grid * self.patch_size

    @property
    def detail_stride(self) -> int:
        """Pixels a side of one cell of the coded detail latent."""
        return 2 * self.patch_size

    def to_dict(self) -> dict[str, Any]:
        """Returns nested dictionaries of JSON values."""
        return dataclasses.asdict(self)

    def identity(self) -> dict[str, Any]:
        """`to_dict` without fields at their defaults.

        A field added later, at its default, does not change the identity and thus the
        fingerprint of existing models.
        """
        return _without_defaults(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DLFConfig":
        """Inverse of `to_dict`; lists become tuples again.

        Raises:
          TypeError: on a missing or unknown field.
          ValueError: on sizes that contradict each other.
        """
        nested = {"encoder": TrunkConfig, "decoder": TrunkConfig, "vqgan": VQGANConfig}
        values = {
            name: nested[name](**_tuples(v)) if name in nested else v
            for name, v in _tuples(values).items()
        }
        return cls(**values)


def _without_defaults(config: Any) -> dict[str, Any]:
    values = {f: getattr(config, f.name) for f in dataclasses.fields(config)}
    return {
        f.name: _without_defaults(value) if dataclasses.is_dataclass(value) else value
        for f, value in values.items()
        if value != f.default
    }


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
