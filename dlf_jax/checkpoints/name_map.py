"""Names and layouts of the official PyTorch checkpoints (spec §19).

The tables pair an official name with ours and say how the axes of the array map.
A row's third item is an axis pattern, or the table of the names that follow.  An index
in braces is the same number on both sides; which numbers occur follows from the
configuration, through the parameter tree of `DLF`.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from dlf_jax.errors import UserError
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dlf import DLF
from dlf_jax.ops.windows import shift_masks

# Official names that have no place in the model, and what they are.
DROPPED = (
    (r"epoch_for_strategy|lmbda_idx|lmbda_list", "state of the training schedule"),
    (r"img_loss\.perceptual_loss\..*", "LPIPS network of the training loss"),
    (r"img_loss\.discriminator\..*", "discriminator, with its batch counters"),
)

_VECTOR = "c -> c"
_MATRIX = "a b -> a b"
_BIAS = ("bias", "bias", _VECTOR)
_LINEAR = (("weight", "kernel", "o i -> i o"), _BIAS)
_POINTWISE = (("weight", "kernel", "o i 1 1 -> i o"), _BIAS)
_CONV = (("weight", "kernel", "o i h w -> h w i o"), _BIAS)
_NORM = (("weight", "scale", _VECTOR), _BIAS)

_TRANSFORMER = (
    ("ln_1.", "norm_attention/", _NORM),
    ("attn.in_proj_", "qkv/", _LINEAR),
    ("attn.out_proj.", "out/", _LINEAR),
    ("ln_2.", "norm_mlp/", _NORM),
    ("mlp.c_fc.", "mlp/up/", _LINEAR),
    ("mlp.c_proj.", "mlp/down/", _LINEAR),
)
_SWIN = (
    ("norm_attn.", "norm_attention/", _NORM),
    ("attention_block.to_qkv.", "attention/qkv/", _LINEAR),
    ("attention_block.to_out.", "attention/out/", _LINEAR),
    ("attention_block.pos_embedding", "attention/positions", _MATRIX),
    ("attention_block.upper_lower_mask", "attention/upper_lower_mask", _MATRIX),
    ("attention_block.left_right_mask", "attention/left_right_mask", _MATRIX),
    ("norm_mlp.", "norm_mlp/", _NORM),
    ("mlp_block.net.0.", "mlp/up/", _LINEAR),
    ("mlp_block.net.2.", "mlp/down/", _LINEAR),
)
_CONVNEXT = (
    ("layer_scale", "layer_scale", "1 c 1 1 -> c"),
    ("conv.", "conv/", _CONV),
    ("norm.", "norm/", _NORM),
    ("mlp.0.", "up/", _LINEAR),
    ("mlp.2.", "down/", _LINEAR),
)
_DEPTH_CONV = (
    ("block.0.conv1.0.", "conv_in/", _POINTWISE),
    ("block.0.depth_conv.", "depth_conv/", _CONV),
    ("block.0.conv2.", "conv_out/", _POINTWISE),
    ("block.0.adaptor.", "adaptor/", _POINTWISE),
    ("block.1.conv.", "ffn_in/", _POINTWISE),
    ("block.1.conv_out.", "ffn_out/", _POINTWISE),
)
_CROSS = (
    ("titok_pos_emb", "semantic_positions", "l 1 c -> l c"),
    ("feat_pos_emb", "detail_positions", "l 1 c -> l c"),
    ("titok_compress_proj.", "semantic_in/", _LINEAR),
    ("attn.{i}.", "block_{i}/", _TRANSFORMER),
    ("titok_decompress_proj.0.", "semantic_hidden/", _LINEAR),
    ("titok_decompress_proj.1.", "semantic_norm/", _NORM),
    ("feat_add.0.", "detail_norm/", _NORM),
    ("feat_add.1.", "detail_out/", _LINEAR),
    ("zero_add.", "semantic_out/", _LINEAR),
)


def _numbered(official, ours, count, table, first=0):
    """Rows of consecutive modules that the official names number from `first`."""
    return tuple(
        (f"{official}{first + i}.", f"{ours}{i}/", table) for i in range(count)
    )


_SIDE = (
    ("class_embedding", "semantic/trunk/class_embedding", _MATRIX),
    ("positional_embedding", "semantic/trunk/positions", _MATRIX),
    (
        "latent_token_positional_embedding",
        "semantic/trunk/token_positions",
        _MATRIX,
    ),
    ("ln_pre.", "semantic/trunk/norm_in/", _NORM),
    ("transformer.{layer}.", "semantic/trunk/block_{layer}/", _TRANSFORMER),
    ("ln_post.", "semantic/trunk/norm_out/", _NORM),
    ("inter_blocks.{layer}.", "stage_{layer}/cross/", _CROSS),
    *_numbered("feat_blocks.{layer}.0.", "stage_{layer}/swin/block_", 2, _SWIN, 1),
    *_numbered("feat_blocks.{layer}.", "stage_{layer}/convnext_", 2, _CONVNEXT, 1),
)
_ENCODER = (
    *_SIDE,
    ("patch_embed.", "patch_embed/", _CONV),
    ("conv_out.", "semantic/conv_out/", _POINTWISE),
    ("pix_emb_proj.", "detail_embed/", _POINTWISE),
    *_numbered("feat_in.", "detail_in/block_", 4, _SWIN, 1),
    *_numbered("feat_out.0.", "detail_out/block_", 2, _SWIN, 1),
    ("feat_out.1.", "downsample/", _CONV),
    ("feat_out.3.", "norm_out/", _NORM),
    ("feat_out.4.", "project_out/", _LINEAR),
)
_DECODER = (
    *_SIDE,
    ("mask_token", "semantic/mask_token", "1 l c -> l c"),
    ("decoder_embed.", "semantic/token_embed/", _LINEAR),
    ("init_feat_up.0.", "upsample/", _POINTWISE),
    *_numbered("init_feat_up.2.", "detail_in/block_", 4, _SWIN, 1),
)
_BOTTLENECK = (
    ("enc_q", "analysis/gain", "r c 1 1 -> r c"),
    ("dec_q", "synthesis/gain", "r c 1 1 -> r c"),
    ("factorized_prior_vec", "context/prior_vector", "r c 1 1 -> r c"),
    *(
        (f"{official}_trans_{i}.{j}.", f"{ours}/block_{2 * i + j}/", _DEPTH_CONV)
        for official, ours in (("enc", "analysis"), ("dec", "synthesis"))
        for i in range(2)
        for j in range(2)
    ),
    ("y_prior_fusion.{i}.", "context/prior_{i}/", _DEPTH_CONV),
    ("y_spatial_prior_reduction.", "context/reduction/", _POINTWISE),
    ("y_spatial_prior_adaptor_{i}.", "context/adaptor_{i}/", _DEPTH_CONV),
    ("y_spatial_prior.{i}.", "context/spatial_{i}/", _DEPTH_CONV),
)
_FUSION = (
    *_numbered("titok_in.1.", "semantic_in/block_", 2, _SWIN),
    *_numbered("feat_in.1.", "detail_in/block_", 2, _SWIN),
    ("merge.0.", "merge_hidden/", _LINEAR),
    ("merge.1.", "merge_norm/", _NORM),
    ("merge.3.", "merge_out/", _LINEAR),
    *_numbered("merge.4.", "body/block_", 4, _SWIN),
    ("ffn.0.", "head_norm/", _NORM),
    ("ffn.1.", "head_hidden/", _LINEAR),
    ("ffn.3.", "head_out/", _LINEAR),
)
_RES_BLOCK = (
    ("norm1.", "norm_0/", _NORM),
    ("conv1.", "conv_0/", _CONV),
    ("norm2.", "norm_1/", _NORM),
    ("conv2.", "conv_1/", _CONV),
    ("nin_shortcut.", "shortcut/", _POINTWISE),
)
_SPATIAL_ATTENTION = (
    ("norm.", "norm/", _NORM),
    ("q.", "query/", _POINTWISE),
    ("k.", "key/", _POINTWISE),
    ("v.", "value/", _POINTWISE),
    ("proj_out.", "out/", _POINTWISE),
)


def _convolutional(direction):
    """Rows of the VQGAN's encoder ("down") or decoder ("up")."""
    level = f"{direction}.{{level}}."
    return (
        ("conv_in.", "conv_in/", _CONV),
        (f"{level}block.{{i}}.", "level_{level}/block_{i}/", _RES_BLOCK),
        (f"{level}attn.{{i}}.", "level_{level}/attention_{i}/", _SPATIAL_ATTENTION),
        (
            f"{level}{direction}sample.conv.",
            f"{direction}sample_{{level}}/conv/",
            _CONV,
        ),
        *_numbered("mid.block_", "middle/block_", 2, _RES_BLOCK, 1),
        ("mid.attn_1.", "middle/attention/", _SPATIAL_ATTENTION),
        ("norm_out.", "norm_out/", _NORM),
        ("conv_out.", "conv_out/", _CONV),
    )


NETWORK = (
    ("hybrid_codec.latent_tokens", "encoder/semantic/latent_tokens", _MATRIX),
    ("hybrid_codec.encoder.", "encoder/", _ENCODER),
    ("hybrid_codec.decoder.", "decoder/", _DECODER),
    ("hybrid_codec.quantize.embedding.weight", "tokens/embedding", _MATRIX),
    ("hybrid_codec.quantize_feat.", "", _BOTTLENECK),
    ("prior_fusion.", "fusion/", _FUSION),
    ("vqgan.encoder.", "vqgan/encoder/", _convolutional("down")),
    ("vqgan.quant_conv.", "vqgan/quant_conv/", _POINTWISE),
    ("vqgan.quantize.embedding.weight", "vqgan/quantizer/embedding", _MATRIX),
    ("vqgan.post_quant_conv.", "vqgan/post_quant_conv/", _POINTWISE),
    ("vqgan.decoder.", "vqgan/decoder/", _convolutional("up")),
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the axes of an official array become those of ours.

    Attributes:
      pattern: "official axes -> our axes"; a letter is an axis, and 1 is an official
        axis of length 1 that we do not have.
    """

    pattern: str

    def _axes(self) -> tuple[list[int], list[int]]:
        """Positions of the 1s on the left, and our axes as positions among the rest."""
        official, ours = (side.split() for side in self.pattern.split(" -> "))
        ones = [i for i, axis in enumerate(official) if axis == "1"]
        rest = [axis for axis in official if axis != "1"]
        return ones, [rest.index(axis) for axis in ours]

    def ours(self, array: np.ndarray) -> np.ndarray:
        """A view of an official array with our axes."""
        ones, order = self._axes()
        return array.squeeze(tuple(ones)).transpose(order)

    def official(self, array: np.ndarray) -> np.ndarray:
        """Inverse of `ours`."""
        ones, order = self._axes()
        return np.expand_dims(array.transpose(np.argsort(order)), ones)

    def official_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the official array when ours has `shape`."""
        return self.official(np.broadcast_to(np.float32(0), shape)).shape


@dataclasses.dataclass(frozen=True)
class Entry:
    """Where one official array goes.

    Attributes:
      path: our parameter path, joined with "/".
      layout: how its axes map.
      shape: shape of the official array.
    """

    path: str
    layout: Layout
    shape: tuple[int, ...]


def name_map(config: DLFConfig) -> dict[str, Entry]:
    """Official name -> entry, for every parameter of a configuration."""
    rules = [
        (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>\\d+)", ours)), official, layout)
        for official, ours, layout in _flatten(NETWORK)
    ]
    entries = {}
    for path, shape in _parameter_shapes(config).items():
        ((match, official, layout),) = (
            (match, official, layout)
            for pattern, official, layout in rules
            if (match := pattern.fullmatch(path))
        )
        name = official.format(**match.groupdict())
        entries[name] = Entry(path, layout, layout.official_shape(shape))
    return entries


def from_official(state: Mapping[str, np.ndarray], config: DLFConfig) -> dict[str, Any]:
    """Our parameters from an official state dict.

    Args:
      state: official name -> array; names of `DROPPED` may be present or absent.
      config: sizes of the network.

    Returns:
      The parameter tree of `DLF`, VQGAN encoder included; its arrays are views.

    Raises:
      UserError: if names are missing or unexpected, shapes differ, or the masks of
        shifted windows do not forbid the pairs that they must.
    """
    entries = name_map(config)
    kept = {name for name in state if not _is_dropped(name)}
    _require_none("lacks", entries.keys() - kept)
    _require_none("has unexpected", kept - entries.keys())
    arrays = {name: np.asarray(state[name]) for name in entries}
    _require_none(
        "has mis-shaped",
        {
            f"{name} {arrays[name].shape} instead of {entry.shape}"
            for name, entry in entries.items()
            if arrays[name].shape != entry.shape
        },
    )
    initial = dict(
        zip(
            ("upper_lower_mask", "left_right_mask"),
            shift_masks(config.window),
            strict=True,
        )
    )
    _require_none(
        "forbids the wrong pairs in",
        {
            name
            for name, array in arrays.items()
            if (mask := initial.get(name.rpartition(".")[2])) is not None
            and not np.array_equal(np.isneginf(array), np.isneginf(mask))
        },
    )
    params = {
        tuple(entry.path.split("/")): entry.layout.ours(arrays[name])
        for name, entry in entries.items()
    }
    return traverse_util.unflatten_dict(params)


def to_official(params: Mapping[str, Any], config: DLFConfig) -> dict[str, np.ndarray]:
    """Exact inverse of `from_official`.

    Args:
      params: the whole parameter tree of `DLF`, VQGAN encoder included.
      config: sizes of the network.

    Raises:
      ValueError: if the tree is not that of the configuration.
    """
    arrays = traverse_util.flatten_dict(params, sep="/")
    shapes = _parameter_shapes(config)
    if shapes != {path: np.shape(array) for path, array in arrays.items()}:
        raise ValueError("the parameters are not those of the configuration")
    return {
        name: entry.layout.official(np.asarray(arrays[entry.path]))
        for name, entry in name_map(config).items()
    }


def _flatten(table) -> Iterator[tuple[str, str, Layout]]:
    for official, ours, rest in table:
        if isinstance(rest, str):
            yield official, ours, Layout(rest)
        else:
            for official_end, ours_end, layout in _flatten(rest):
                yield official + official_end, ours + ours_end, layout


def _parameter_shapes(config: DLFConfig) -> dict[str, tuple[int, ...]]:
    """Path -> shape of every parameter, without computing any."""

    def touch_everything(model, image, rate):
        model(image, rate)
        model.vqgan(image)

    model = DLF(config)
    image = jax.ShapeDtypeStruct(
        (1, config.tile_size, config.tile_size, 3), jnp.float32
    )
    variables = jax.eval_shape(
        lambda key, image, rate: model.init(key, image, rate, method=touch_everything),
        jax.random.key(0),
        image,
        jax.ShapeDtypeStruct((1,), jnp.int32),
    )
    flat = traverse_util.flatten_dict(variables["params"], sep="/")
    return {path: value.shape for path, value in flat.items()}


def _is_dropped(name: str) -> bool:
    return any(re.fullmatch(pattern, name) for pattern, _ in DROPPED)


def _require_none(problem: str, names: set[str]) -> None:
    if names:
        shown = ", ".join(sorted(names)[:5])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise UserError(f"checkpoint {problem} {shown}{more}")
