"""Tables of the official PyTorch names and ours.

See docs/architecture.md#checkpoint-names.

A row pairs the beginning of an official name with the beginning of our parameter path.
The third item is the table of the remaining name or, at its end, the axis order
("official -> ours", where 1 is an official axis of length 1 without counterpart).  An
index in braces is the same number on both sides; {i+1} is one more.
"""

import dataclasses

_VECTOR = "c -> c"
_MATRIX = "a b -> a b"
_BIAS = ("bias", "bias", _VECTOR)
LINEAR = (("weight", "kernel", "o i -> i o"), _BIAS)
POINTWISE = (("weight", "kernel", "o i 1 1 -> i o"), _BIAS)
CONV = (("weight", "kernel", "o i h w -> h w i o"), _BIAS)
NORM = (("weight", "scale", _VECTOR), _BIAS)

TRANSFORMER = (
    ("ln_1.", "norm_attention/", NORM),
    ("attn.in_proj_", "qkv/", LINEAR),
    ("attn.out_proj.", "out/", LINEAR),
    ("ln_2.", "norm_mlp/", NORM),
    ("mlp.c_fc.", "mlp/up/", LINEAR),
    ("mlp.c_proj.", "mlp/down/", LINEAR),
)
SWIN = (
    ("norm_attn.", "norm_attention/", NORM),
    ("attention_block.to_qkv.", "attention/qkv/", LINEAR),
    ("attention_block.to_out.", "attention/out/", LINEAR),
    ("attention_block.pos_embedding", "attention/positions", _MATRIX),
    ("attention_block.upper_lower_mask", "attention/upper_lower_mask", _MATRIX),
    ("attention_block.left_right_mask", "attention/left_right_mask", _MATRIX),
    ("norm_mlp.", "norm_mlp/", NORM),
    ("mlp_block.net.0.", "mlp/up/", LINEAR),
    ("mlp_block.net.2.", "mlp/down/", LINEAR),
)
CONVNEXT = (
    ("layer_scale", "layer_scale", "1 c 1 1 -> c"),
    ("conv.", "conv/", CONV),
    ("norm.", "norm/", NORM),
    ("mlp.0.", "up/", LINEAR),
    ("mlp.2.", "down/", LINEAR),
)
DEPTH_CONV = (
    ("block.0.conv1.0.", "conv_in/", POINTWISE),
    ("block.0.depth_conv.", "depth_conv/", CONV),
    ("block.0.conv2.", "conv_out/", POINTWISE),
    ("block.0.adaptor.", "adaptor/", POINTWISE),
    ("block.1.conv.", "ffn_in/", POINTWISE),
    ("block.1.conv_out.", "ffn_out/", POINTWISE),
)
CROSS = (
    ("titok_pos_emb", "semantic_positions", "l 1 c -> l c"),
    ("feat_pos_emb", "detail_positions", "l 1 c -> l c"),
    ("titok_compress_proj.", "semantic_in/", LINEAR),
    ("attn.{i}.", "block_{i}/", TRANSFORMER),
    ("titok_decompress_proj.0.", "semantic_hidden/", LINEAR),
    ("titok_decompress_proj.1.", "semantic_norm/", NORM),
    ("feat_add.0.", "detail_norm/", NORM),
    ("feat_add.1.", "detail_out/", LINEAR),
    ("zero_add.", "semantic_out/", LINEAR),
)


_SIDE = (
    ("class_embedding", "semantic/trunk/class_embedding", _MATRIX),
    ("positional_embedding", "semantic/trunk/positions", _MATRIX),
    (
        "latent_token_positional_embedding",
        "semantic/trunk/token_positions",
        _MATRIX,
    ),
    ("ln_pre.", "semantic/trunk/norm_in/", NORM),
    ("transformer.{layer}.", "semantic/trunk/block_{layer}/", TRANSFORMER),
    ("ln_post.", "semantic/trunk/norm_out/", NORM),
    ("inter_blocks.{layer}.", "stage_{layer}/cross/", CROSS),
    ("feat_blocks.{layer}.0.{i+1}.", "stage_{layer}/swin/block_{i}/", SWIN),
    ("feat_blocks.{layer}.{i+1}.", "stage_{layer}/convnext_{i}/", CONVNEXT),
)
_ENCODER = (
    *_SIDE,
    ("patch_embed.", "patch_embed/", CONV),
    ("conv_out.", "semantic/conv_out/", POINTWISE),
    ("pix_emb_proj.", "detail_embed/", POINTWISE),
    ("feat_in.{i+1}.", "detail_in/block_{i}/", SWIN),
    ("feat_out.0.{i+1}.", "detail_out/block_{i}/", SWIN),
    ("feat_out.1.", "downsample/", CONV),
    ("feat_out.3.", "norm_out/", NORM),
    ("feat_out.4.", "project_out/", LINEAR),
)
_DECODER = (
    *_SIDE,
    ("mask_token", "semantic/mask_token", "1 l c -> l c"),
    ("decoder_embed.", "semantic/token_embed/", LINEAR),
    ("init_feat_up.0.", "upsample/", POINTWISE),
    ("init_feat_up.2.{i+1}.", "detail_in/block_{i}/", SWIN),
)
_BOTTLENECK = (
    ("enc_q", "analysis/gain", "r c 1 1 -> r c"),
    ("dec_q", "synthesis/gain", "r c 1 1 -> r c"),
    ("factorized_prior_vec", "context/prior_vector", "r c 1 1 -> r c"),
    *(
        (f"{official}_trans_{i}.{j}.", f"{ours}/block_{2 * i + j}/", DEPTH_CONV)
        for official, ours in (("enc", "analysis"), ("dec", "synthesis"))
        for i in range(2)
        for j in range(2)
    ),
    ("y_prior_fusion.{i}.", "context/prior_{i}/", DEPTH_CONV),
    ("y_spatial_prior_reduction.", "context/reduction/", POINTWISE),
    ("y_spatial_prior_adaptor_{i}.", "context/adaptor_{i}/", DEPTH_CONV),
    ("y_spatial_prior.{i}.", "context/spatial_{i}/", DEPTH_CONV),
)
_FUSION = (
    ("titok_in.1.{i}.", "semantic_in/block_{i}/", SWIN),
    ("feat_in.1.{i}.", "detail_in/block_{i}/", SWIN),
    ("merge.0.", "merge_hidden/", LINEAR),
    ("merge.1.", "merge_norm/", NORM),
    ("merge.3.", "merge_out/", LINEAR),
    ("merge.4.{i}.", "body/block_{i}/", SWIN),
    ("ffn.0.", "head_norm/", NORM),
    ("ffn.1.", "head_hidden/", LINEAR),
    ("ffn.3.", "head_out/", LINEAR),
)
RES_BLOCK = (
    ("norm1.", "norm_0/", NORM),
    ("conv1.", "conv_0/", CONV),
    ("norm2.", "norm_1/", NORM),
    ("conv2.", "conv_1/", CONV),
    ("nin_shortcut.", "shortcut/", POINTWISE),
)
SPATIAL_ATTENTION = (
    ("norm.", "norm/", NORM),
    ("q.", "query/", POINTWISE),
    ("k.", "key/", POINTWISE),
    ("v.", "value/", POINTWISE),
    ("proj_out.", "out/", POINTWISE),
)


def _convolutional(direction):
    """Rows of the VQGAN's encoder ("down") or decoder ("up")."""
    level = f"{direction}.{{level}}."
    return (
        ("conv_in.", "conv_in/", CONV),
        (f"{level}block.{{i}}.", "level_{level}/block_{i}/", RES_BLOCK),
        (f"{level}attn.{{i}}.", "level_{level}/attention_{i}/", SPATIAL_ATTENTION),
        (
            f"{level}{direction}sample.conv.",
            f"{direction}sample_{{level}}/conv/",
            CONV,
        ),
        ("mid.block_{i+1}.", "middle/block_{i}/", RES_BLOCK),
        ("mid.attn_1.", "middle/attention/", SPATIAL_ATTENTION),
        ("norm_out.", "norm_out/", NORM),
        ("conv_out.", "conv_out/", CONV),
    )


TITOK = (
    ("latent_tokens", "encoder/semantic/latent_tokens", _MATRIX),
    ("encoder.", "encoder/", _ENCODER),
    ("decoder.", "decoder/", _DECODER),
    ("quantize.embedding.weight", "tokens/embedding", _MATRIX),
)
VQGAN = (
    ("encoder.", "vqgan/encoder/", _convolutional("down")),
    ("quant_conv.", "vqgan/quant_conv/", POINTWISE),
    ("quantize.embedding.weight", "vqgan/quantizer/embedding", _MATRIX),
    ("post_quant_conv.", "vqgan/post_quant_conv/", POINTWISE),
    ("decoder.", "vqgan/decoder/", _convolutional("up")),
)
NETWORK = (
    ("hybrid_codec.", "", TITOK),
    ("hybrid_codec.quantize_feat.", "", _BOTTLENECK),
    ("prior_fusion.", "fusion/", _FUSION),
    ("vqgan.", "", VQGAN),
)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of official checkpoint.

    Attributes:
      title: name for messages.
      marks: regex that matches a name in every checkpoint of this kind, and no name in
        checkpoints of other kinds.
      table: rows of its names.
      dropped: (regex, description) of arrays that the model does not have.
    """

    title: str
    marks: str
    table: tuple
    dropped: tuple[tuple[str, str], ...]


KINDS = {
    "dlf": Kind(
        "DLF",
        r"hybrid_codec\..*|prior_fusion\..*",
        NETWORK,
        (
            (r"epoch_for_strategy|lmbda_idx|lmbda_list", "training schedule"),
            (r"img_loss\.perceptual_loss\..*", "LPIPS of the training loss"),
            (r"img_loss\.discriminator\..*", "discriminator"),
        ),
    ),
    "titok": Kind(
        "TiTok",
        r"latent_tokens|(encoder|decoder)\.transformer\..*",
        TITOK,
        (
            (r"decoder\.ffn\..*", "output head, which the latent fusion replaces"),
            (r"pixel_quantize\..*|pixel_decoder\..*", "TiTok's own image decoder"),
        ),
    ),
    "vqgan": Kind(
        "VQGAN",
        r"(encoder\.down|decoder\.up)\..*|post_quant_conv\..*",
        VQGAN,
        ((r"loss\..*", "LPIPS and discriminator of the training loss"),),
    ),
}
