import dataclasses

import numpy as np
import pytest

from dlf_jax.checkpoints.name_map import Layout, from_official, to_official
from dlf_jax.errors import UserError
from dlf_jax.models.config import DLFConfig
from dlf_jax.paths import flatten
from tests.checkpoints.official import random_state
from tests.configs import tiny

_RELEASED_DEPTHS = {
    field.name: field.default
    for field in dataclasses.fields(DLFConfig)
    if field.name.endswith("_blocks")
}
CONFIG = tiny(
    **_RELEASED_DEPTHS | {"num_interaction_blocks": 1},
    encoder={"num_layers": 2, "num_heads": 2},
    decoder={"width": 12, "num_heads": 2},
    encoder_interactions=(1,),
    patch_size=2,
    window=2,
    num_tokens=3,
    codebook_size=8,
    token_width=5,
    num_rates=1,
    vqgan={
        "multipliers": (1, 2),
        "attention_levels": (1,),
        "mid_attention": True,
        "z_channels": 6,
        "embed_dim": 5,
        "num_codes": 7,
    },
)


@pytest.fixture(scope="module")
def official():
    """A complete state dict of distinct random values."""
    return random_state(CONFIG, seed=0)


@pytest.mark.parametrize(
    ("pattern", "shape", "ours"),
    [
        ("o i -> i o", (2, 3), (3, 2)),
        ("o i 1 1 -> i o", (2, 3, 1, 1), (3, 2)),
        ("o i h w -> h w i o", (2, 3, 4, 5), (4, 5, 3, 2)),
        ("l 1 c -> l c", (2, 1, 3), (2, 3)),
        ("1 c 1 1 -> c", (1, 3, 1, 1), (3,)),
    ],
)
def test_layouts_and_their_inverses(pattern, shape, ours):
    array = np.arange(np.prod(shape)).reshape(shape)
    layout = Layout(pattern)
    assert layout.ours(array).shape == ours
    np.testing.assert_array_equal(layout.official(layout.ours(array)), array)


def test_a_convolution_keeps_its_meaning():
    kernel = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    ours = Layout("o i h w -> h w i o").ours(kernel)
    assert ours[2, 4, 1, 0] == kernel[0, 1, 2, 4]


def test_round_trip_is_exact(official):
    params = from_official(official, CONFIG)
    back = to_official(params, CONFIG)
    assert back.keys() == official.keys()
    for name, array in back.items():
        np.testing.assert_array_equal(array, official[name])
    again = flatten(from_official(back, CONFIG))
    for path, array in flatten(params).items():
        np.testing.assert_array_equal(array, again[path])


def test_indices_of_both_numberings(official):
    params = from_official(official, CONFIG)
    for name, ours in (
        (
            "hybrid_codec.encoder.feat_blocks.1.0.2.attention_block.pos_embedding",
            params["encoder"]["stage_1"]["swin"]["block_1"]["attention"]["positions"],
        ),
        (
            "prior_fusion.merge.4.2.norm_attn.weight",
            params["fusion"]["body"]["block_2"]["norm_attention"]["scale"],
        ),
        (
            "hybrid_codec.quantize_feat.enc_trans_1.0.block.0.conv2.bias",
            params["analysis"]["block_2"]["conv_out"]["bias"],
        ),
        (
            "vqgan.decoder.up.1.upsample.conv.bias",
            params["vqgan"]["decoder"]["upsample_1"]["conv"]["bias"],
        ),
        (
            "hybrid_codec.quantize_feat.dec_q",
            params["synthesis"]["gain"][:, :, None, None],
        ),
    ):
        np.testing.assert_array_equal(ours, official[name])


def test_training_state_is_dropped(official):
    extra = {
        "lmbda_idx": np.int32(3),
        "img_loss.discriminator.main.3.num_batches_tracked": np.int64(9),
        "img_loss.perceptual_loss.lin0.model.1.weight": np.zeros((1, 64, 1, 1)),
    }
    params = from_official({**official, **extra}, CONFIG)
    assert to_official(params, CONFIG).keys() == official.keys()


def test_missing_and_unknown_names_are_listed(official):
    name = "prior_fusion.ffn.1.bias"
    without = {k: v for k, v in official.items() if k != name}
    with pytest.raises(UserError, match=f"lacks {name}$"):
        from_official(without, CONFIG)
    with pytest.raises(UserError, match=r"unknown prior_fusion\.ffn\.9\.bias$"):
        from_official({**official, "prior_fusion.ffn.9.bias": np.zeros(3)}, CONFIG)
    with pytest.raises(UserError, match=rf"and {len(official) - 5} more$"):
        from_official({}, CONFIG)


def test_shapes_must_be_those_of_the_configuration(official):
    name = "hybrid_codec.latent_tokens"
    with pytest.raises(UserError, match=r"latent_tokens \(3, 9\) .*\(3, 8\)"):
        from_official({**official, name: np.zeros((3, 9))}, CONFIG)


def test_masks_must_forbid_the_constructed_pairs(official):
    name = "prior_fusion.merge.4.1.attention_block.left_right_mask"
    with pytest.raises(UserError, match=f"wrong pairs in {name}"):
        from_official({**official, name: np.zeros((4, 4))}, CONFIG)


def test_a_tree_of_another_shape_is_refused(official):
    params = from_official(official, CONFIG)
    del params["tokens"]
    with pytest.raises(ValueError, match="configuration"):
        to_official(params, CONFIG)
