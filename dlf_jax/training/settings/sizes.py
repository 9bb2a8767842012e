"""Sizes of the network: a named variant, and settings of all fields of `DLFConfig`."""

from collections.abc import Iterator, Mapping
from operator import attrgetter

from dlf_jax.errors import UserError
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.variants import VARIANTS
from dlf_jax.paths import flatten, nest
from dlf_jax.training.settings.kinds import (
    Choice,
    Kind,
    Number,
    Optional,
    Setting,
    Settings,
    Switch,
    Whole,
    Wholes,
)

_WIDTH, _NUMBER, _NUMBER_OR_NONE = Whole(1, 2**16), Whole(1, 1024), Whole(0, 1024)
_LAYERS = Wholes(0, 1023, "(3, 7, 11)")

# Field of `DLFConfig` -> kind and meaning.
_FIELDS: Mapping[str, tuple[Kind, str]] = {
    **{
        f"{side}.{field}": (kind, f"{meaning} of the semantic {side}")
        for side in ("encoder", "decoder")
        for field, kind, meaning in (
            ("width", _WIDTH, "width"),
            ("num_layers", _NUMBER, "layers"),
            ("num_heads", _NUMBER, "attention heads"),
        )
    },
    "encoder_interactions": (_LAYERS, "encoder layers, from 0, before an interaction"),
    "decoder_interactions": (_LAYERS, "decoder layers, from 0, before an interaction"),
    "num_interaction_blocks": (_NUMBER_OR_NONE, "attention blocks of an interaction"),
    "num_stage_blocks": (
        _NUMBER_OR_NONE,
        "Swin blocks, and ConvNeXt blocks, of the detail branch after an interaction",
    ),
    "num_detail_in_blocks": (
        _NUMBER_OR_NONE,
        "Swin blocks of the detail branch before the first interaction",
    ),
    "num_detail_out_blocks": (
        _NUMBER_OR_NONE,
        "Swin blocks of the detail branch after the encoder's last interaction",
    ),
    "num_fusion_in_blocks": (_NUMBER_OR_NONE, "Swin blocks of the fusion, per branch"),
    "num_fusion_blocks": (_NUMBER_OR_NONE, "Swin blocks of the fusion, on both"),
    "patch_size": (_WIDTH, "pixels a side of a cell; the stride of the VQGAN"),
    "grid": (_WIDTH, "cells a side of a tile; even, a multiple of window"),
    "window": (_WIDTH, "cells a side of a Swin window; even"),
    "head_width": (_WIDTH, "width of a head of the detail branch and the fusion"),
    "num_tokens": (_WIDTH, "tokens of a tile"),
    "codebook_size": (Whole(2, 2**16), "codes of a token"),
    "token_width": (_WIDTH, "channels of a token"),
    "detail_width": (_WIDTH, "channels of the detail branch; a multiple of head_width"),
    "stem_channels": (
        Whole(0, 2**16),
        "channels of the convolutional stem of the detail branch; 0: none",
    ),
    "latent_channels": (
        Whole(4, 2**16),
        "channels of the coded detail latent; a multiple of 4",
    ),
    "num_spatial_blocks": (_NUMBER_OR_NONE, "shared blocks of the context model"),
    "num_rates": (_NUMBER, "rate points that share the weights"),
    "fusion_width": (_WIDTH, "channels of the fusion; a multiple of head_width"),
    "skip_threshold": (Number(0), "symbols with a smaller scale are not coded"),
    "vqgan.channels": (_WIDTH, "channels of the VQGAN's finest level"),
    "vqgan.multipliers": (
        Wholes(1, 1024, "(1, 2, 4)"),
        "channels of the VQGAN's levels over vqgan.channels, finest first",
    ),
    "vqgan.num_res_blocks": (_NUMBER_OR_NONE, "residual blocks of a VQGAN level"),
    "vqgan.attention_levels": (
        Wholes(0, 1023, "(4,)"),
        "levels of the VQGAN, from 0, with attention",
    ),
    "vqgan.mid_attention": (Switch(), "attention in the middle of the VQGAN"),
    "vqgan.z_channels": (_WIDTH, "channels of the VQGAN before its 1x1 projections"),
    "vqgan.embed_dim": (_WIDTH, "channels of a code of the VQGAN"),
    "vqgan.num_codes": (Whole(2, 2**16), "codes of the VQGAN"),
    "vqgan.norm_groups": (
        _NUMBER_OR_NONE,
        "groups of the VQGAN's normalisations; 0: each cell by itself",
    ),
    "vqgan.patch": (_WIDTH, "pixels a side of a cell of the VQGAN's finest level"),
    "vqgan.linear_path": (Switch(), "linear map beside the VQGAN's networks"),
    "vqgan.texture_channels": (
        Whole(0, 2**16),
        "channels of the noise from which the VQGAN makes texture; 0: none",
    ),
}

SIZES: Mapping[str, Setting] = {
    "model.variant": Setting(Choice(VARIANTS), "named sizes of the network"),
    **{
        f"model.{name}": Setting(Optional(kind), meaning)
        for name, (kind, meaning) in _FIELDS.items()
    },
}


def model_config(sizes: Settings) -> DLFConfig:
    """Returns the sizes of the network.

    Args:
      sizes: settings below ``model``: a variant, and sizes that differ from it; those
        that are None or missing are those of the variant.

    Raises:
      UserError: the sizes contradict each other.
    """
    changes = {k: v for k, v in flatten(sizes, ".").items() if v is not None}
    values = flatten(VARIANTS[changes.pop("variant")].to_dict(), ".")
    try:
        config = DLFConfig.from_dict(nest(values | changes, "."))
    except ValueError as error:
        raise UserError(f"sizes of model contradict each other: {error}") from error
    for problem in _contradictions(config):
        raise UserError(f"sizes of model contradict each other: {problem}")
    return config


def _contradictions(config: DLFConfig) -> Iterator[str]:
    """Messages about sizes with which the network cannot be built."""
    head, vqgan = config.head_width, config.vqgan
    for name in ("detail_width", "decoder.width", "fusion_width"):
        width = attrgetter(name)(config)
        if width % head:
            yield f"{name} must be a multiple of head_width, {head}, not {width}"
    widths = [vqgan.channels * factor for factor in vqgan.multipliers]
    if vqgan.norm_groups and any(width % vqgan.norm_groups for width in widths):
        yield f"vqgan.norm_groups must divide {widths}, unlike {vqgan.norm_groups}"
    if any(level >= len(widths) for level in vqgan.attention_levels):
        yield (
            f"vqgan.attention_levels must be levels, below {len(widths)}, not "
            f"{vqgan.attention_levels}"
        )


def model_name(sizes: Settings) -> str:
    """Returns the name of a network for its users.

    Args:
      sizes: see `model_config`.
    """
    variant = sizes["variant"]
    return variant if model_config(sizes) == VARIANTS[variant] else f"{variant}-custom"
