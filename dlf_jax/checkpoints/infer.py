"""Sizes of a network from the names and shapes of an official checkpoint.

See docs/architecture.md#checkpoint-names.

Each size is a majority vote of all arrays that show it, so that a single wrong name or
shape does not change the size; the later comparison of all names and shapes reports the
wrong array.
"""

import collections
import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from dlf_jax.errors import UserError
from dlf_jax.models.config import DLFConfig, TrunkConfig, VQGANConfig

# Width of one attention head in the released networks; no shape shows it.
HEAD_WIDTH = 64
# Groups of every GroupNorm of a taming VQGAN; no shape shows them.
NORM_GROUPS = 32


@dataclasses.dataclass(frozen=True)
class Heads:
    """Attention heads, which names and shapes do not show.

    Attributes:
      encoder, decoder: heads of the two trunks; None for heads of `HEAD_WIDTH`.
      width: width of one head in the detail branch and the fusion.
    """

    encoder: int | None = None
    decoder: int | None = None
    width: int = HEAD_WIDTH


OFFICIAL_HEADS = Heads()


class _Shapes:
    """Queries on the names and shapes of a checkpoint.

    In a pattern, "*" matches anything and "{i}" an index.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], prefix: str = ""):
        self._shapes = {
            name.removeprefix(prefix): shape
            for name, shape in shapes.items()
            if name.startswith(prefix)
        }
        self._prefix = prefix

    def has(self, pattern: str) -> bool:
        """Returns True if a name matches."""
        return bool(self._find(pattern))

    def size(
        self, *places: tuple[str, int], of: Callable[[int], int] = lambda n: n
    ) -> int:
        """The most common value of `of(length)` over several (pattern, axis).

        Raises:
          UserError: there is no such array.
        """
        votes = collections.Counter(
            of(match.shape[axis])
            for pattern, axis in places
            for match in self._find(pattern)
            if len(match.shape) > axis and 0 not in match.shape
        )
        if not votes:
            name = self._prefix + places[0][0]
            raise UserError(f"the checkpoint lacks {name}, or its shape is wrong")
        return votes.most_common(1)[0][0]

    def indices(self, *patterns: str) -> tuple[int, ...]:
        """The most common set of indices of otherwise equal names; may be empty."""
        found = collections.defaultdict(set)
        for pattern in patterns:
            for match in self._find(pattern):
                found[match.rest].add(match.index)
        votes = collections.Counter(map(frozenset, found.values()))
        return tuple(sorted(votes.most_common(1)[0][0])) if votes else ()

    def _find(self, pattern: str) -> list["_Match"]:
        regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\{i\}", r"(\d+)")
        matches = ((re.fullmatch(regex, n), n, s) for n, s in self._shapes.items())
        return [
            _Match(shape, int(m[1]), name[: m.start(1)] + name[m.end(1) :])
            if m.lastindex
            else _Match(shape)
            for m, name, shape in matches
            if m
        ]


@dataclasses.dataclass(frozen=True)
class _Match:
    """Shape of an array, the index in its name, and the name without the index."""

    shape: tuple[int, ...]
    index: int = 0
    rest: str = ""


def infer_titok(
    shapes: Mapping[str, tuple[int, ...]], heads: Heads, prefix: str = ""
) -> dict[str, Any]:
    """Fields of `DLFConfig` of the semantic branch.

    Args:
      shapes: official name -> shape.
      heads: attention heads, which names and shapes do not show.
      prefix: beginning of this part's names.

    Raises:
      UserError: names are missing, or the heads do not fit the widths.
    """
    found = _Shapes(shapes, prefix)
    trunks = {}
    for side, num_heads in (("encoder", heads.encoder), ("decoder", heads.decoder)):
        width = found.size(
            (f"{side}.class_embedding", 1),
            (f"{side}.ln_*", 0),
            (f"{side}.transformer.*.ln_*", 0),
        )
        if num_heads is None and width % HEAD_WIDTH:
            raise UserError(
                f"the {side} is {width} wide, which is no multiple of {HEAD_WIDTH}: "
                f"give its number of attention heads as --{side}-heads"
            )
        num_heads = num_heads or width // HEAD_WIDTH
        if width % num_heads:
            raise UserError(
                f"the {side}'s width {width} does not fit {num_heads} heads: give a "
                f"divisor of it as --{side}-heads"
            )
        num_layers = len(found.indices(f"{side}.transformer.{{i}}.*"))
        trunks[side] = TrunkConfig(width, num_layers, num_heads)
    num_tokens = found.size(
        ("latent_tokens", 0), ("*.latent_token_positional_embedding", 0)
    )
    return {
        **trunks,
        "patch_size": found.size(("encoder.patch_embed.weight", 2)),
        # The class token adds a position, except in the interactions; isqrt drops it.
        "grid": found.size(
            ("*.positional_embedding", 0),
            ("*.inter_blocks.*.feat_pos_emb", 0),
            of=math.isqrt,
        ),
        "num_tokens": num_tokens,
        "codebook_size": found.size(("quantize.embedding.weight", 0)),
        "token_width": found.size(
            ("quantize.embedding.weight", 1),
            ("encoder.conv_out.*", 0),
            ("decoder.decoder_embed.weight", 1),
        ),
    }


def infer_vqgan(shapes: Mapping[str, tuple[int, ...]], prefix: str = "") -> VQGANConfig:
    """Sizes of a VQGAN, with its encoder or without.

    Raises:
      UserError: names are missing, or no taming VQGAN has these widths.
    """
    found = _Shapes(shapes, prefix)
    levels = found.indices("decoder.up.{i}.block.*", "encoder.down.{i}.block.*")
    widths = [
        found.size(
            (f"decoder.up.{level}.block.*.conv2.bias", 0),
            (f"decoder.up.{level}.block.*.norm2.*", 0),
            (f"encoder.down.{level}.block.*.conv2.bias", 0),
            (f"encoder.down.{level}.block.*.norm2.*", 0),
        )
        for level in range(len(levels))
    ]
    if found.has("encoder.*"):
        channels = found.size(
            ("encoder.conv_in.*", 0), ("encoder.down.0.block.0.norm1.*", 0)
        )
    else:
        channels = math.gcd(*widths)
    if not widths or channels % NORM_GROUPS or any(w % channels for w in widths):
        raise UserError(
            f"the levels of the VQGAN have {widths} channels, which are no multiples "
            f"of {channels} at its start and of {NORM_GROUPS}"
        )
    colours = found.size(("decoder.conv_out.*", 0), ("encoder.conv_in.weight", 1))
    return VQGANConfig(
        channels=channels,
        multipliers=tuple(width // channels for width in widths),
        num_res_blocks=len(found.indices("decoder.up.*.block.{i}.*")) - 1,
        attention_levels=found.indices(
            "decoder.up.{i}.attn.*", "encoder.down.{i}.attn.*"
        ),
        mid_attention=found.has("*coder.mid.attn_1.*"),
        z_channels=found.size(("decoder.conv_in.weight", 1), ("post_quant_conv.*", 0)),
        embed_dim=found.size(
            ("quantize.embedding.weight", 1),
            ("post_quant_conv.weight", 1),
            ("quant_conv.*", 0),
        ),
        num_codes=found.size(("quantize.embedding.weight", 0)),
        norm_groups=NORM_GROUPS,
        patch=math.isqrt(colours // 3),
    )


def infer_codec(shapes: Mapping[str, tuple[int, ...]], heads: Heads) -> DLFConfig:
    """Every size of the codec.

    Args:
      shapes: official name -> shape, of a whole DLF checkpoint.
      heads: attention heads, which names and shapes do not show.

    Raises:
      UserError: names are missing, or sizes do not fit together.
    """
    found = _Shapes(shapes)
    codec = "hybrid_codec."
    semantic = infer_titok(shapes, heads, codec)
    vqgan = infer_vqgan(shapes, "vqgan.")
    vqgan = dataclasses.replace(
        vqgan,
        num_codes=found.size(
            ("prior_fusion.ffn.3.*", 0), ("vqgan.quantize.embedding.weight", 0)
        ),
    )
    interactions = {
        f"{side}_interactions": found.indices(
            f"{codec}{side}.inter_blocks.{{i}}.*", f"{codec}{side}.feat_blocks.{{i}}.*"
        )
        for side in ("encoder", "decoder")
    }
    depths = {
        field: len(found.indices(*patterns))
        for field, patterns in {
            "num_interaction_blocks": (f"{codec}*.inter_blocks.*.attn.{{i}}.*",),
            "num_stage_blocks": (
                f"{codec}*.feat_blocks.*.0.{{i}}.*",
                f"{codec}*.feat_blocks.*.{{i}}.mlp.*",
            ),
            "num_detail_in_blocks": (
                f"{codec}encoder.feat_in.{{i}}.*",
                f"{codec}decoder.init_feat_up.2.{{i}}.*",
            ),
            "num_detail_out_blocks": (f"{codec}encoder.feat_out.0.{{i}}.*",),
            "num_spatial_blocks": (f"{codec}quantize_feat.y_spatial_prior.{{i}}.*",),
            "num_fusion_in_blocks": ("prior_fusion.*_in.1.{i}.*",),
            "num_fusion_blocks": ("prior_fusion.merge.4.{i}.*",),
        }.items()
    }
    detail_width = found.size(
        (f"{codec}encoder.pix_emb_proj.*", 0), (f"{codec}encoder.feat_out.*.bias", 0)
    )
    fusion_width = found.size(
        ("prior_fusion.ffn.0.*", 0), ("prior_fusion.merge.3.*", 0)
    )
    for what, width in (
        ("detail branch", detail_width),
        ("fusion", fusion_width),
        ("decoder", semantic["decoder"].width),
    ):
        if width % heads.width:
            raise UserError(
                f"the {what} is {width} wide, which is no multiple of {heads.width}: "
                "give the width of one attention head as --head-width"
            )
    relative = found.size(
        *(
            (f"{codec}*.{group}.attention_block.pos_embedding", 0)
            for group in ("feat_in.1", "feat_out.0.1", "init_feat_up.2.1")
        ),
        ("prior_fusion.*.0.attention_block.pos_embedding", 0),
    )
    bottleneck = f"{codec}quantize_feat."
    try:
        return DLFConfig(
            # The VQGAN's levels show the size often, the patch embedding once.
            **{**semantic, "patch_size": vqgan.stride},
            **interactions,
            **depths,
            window=(relative + 1) // 2,
            head_width=heads.width,
            detail_width=detail_width,
            latent_channels=found.size(
                (f"{bottleneck}factorized_prior_vec", 1),
                (f"{bottleneck}y_spatial_prior_reduction.*", 0),
            ),
            num_rates=found.size(
                (f"{bottleneck}enc_q", 0),
                (f"{bottleneck}dec_q", 0),
                (f"{bottleneck}factorized_prior_vec", 0),
            ),
            fusion_width=fusion_width,
            vqgan=vqgan,
        )
    except ValueError as error:
        raise UserError(f"the sizes do not fit together: {error}") from error
