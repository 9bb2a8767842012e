"""Each block alone against one small instance of the official one."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from dlf_jax.checkpoints import official_names as names
from dlf_jax.checkpoints.name_map import convert, match_names
from dlf_jax.models.interaction import CrossBranchInteraction
from dlf_jax.models.titok import legacy_token_reshape
from dlf_jax.nn.convnext import ConvNeXtBlock
from dlf_jax.nn.depth_conv import DepthConvBlock
from dlf_jax.nn.layers import GroupNorm, LayerNorm
from dlf_jax.nn.resnet import Downsample, ResBlock, SpatialAttention, Upsample
from dlf_jax.nn.swin import SwinGroup
from dlf_jax.nn.transformer import TransformerBlock
from dlf_jax.nn.vector_quantizer import VectorQuantizer
from dlf_jax.ops.tiling import pixel_shuffle
from dlf_jax.paths import flatten
from tests.golden.select_units import restore

pytestmark = pytest.mark.usefixtures("highest_precision")

CONV = (("conv.", "conv/", names.CONV),)
CODEBOOK = (("embedding.weight", "embedding", "a b -> a b"),)


def swin_pair(first: int) -> tuple:
    """Rows of two Swin blocks numbered from `first`."""
    return tuple((f"{first + i}.", f"block_{i}/", names.SWIN) for i in range(2))


def nhwc(x):
    return np.moveaxis(x, 1, -1)


def tokens_second(x):
    return np.swapaxes(x, 0, 1)


@pytest.fixture(scope="module")
def units() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).with_name("units.npz")) as file:
        return restore(dict(file))


def test_shipped_units_are_the_official_ones(units, parity):
    with np.load(parity / "units" / "units.npz") as file:
        official = dict(file)
    assert units.keys() == official.keys()
    for name, array in units.items():
        assert array.dtype == official[name].dtype
        expected = official[name][: len(array)] if array.ndim else official[name]
        np.testing.assert_array_equal(array, expected)


def run(units, name: str, module: nn.Module, table: tuple, *inputs):
    """Applies a module to inputs with the official weights of one unit."""
    inputs = [jnp.asarray(x) for x in inputs]
    variables = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    shapes = {k: leaf.shape for k, leaf in flatten(variables["params"]).items()}
    prefix = f"{name}/"
    state = {k.removeprefix(prefix): units[k] for k in units if k.startswith(prefix)}
    params = convert(state, match_names(table, shapes))
    return jax.jit(module.apply)({"params": params}, *inputs)


@pytest.mark.parametrize(
    ("name", "module", "table", "layout"),
    [
        ("layernorm_small_variance", LayerNorm(), names.NORM, np.asarray),
        ("groupnorm_small_variance", GroupNorm(32), names.NORM, nhwc),
        ("vit_block", TransformerBlock(4), names.TRANSFORMER, tokens_second),
        (
            "swin_pair_2x3_windows_nhwc",
            SwinGroup(2, window=16, head_width=64),
            swin_pair(0),
            np.asarray,
        ),
        (
            "swin_pair_1x1_window_nchw",
            SwinGroup(2, window=16, head_width=64),
            swin_pair(1),
            nhwc,
        ),
        ("convnext", ConvNeXtBlock(), names.CONVNEXT, nhwc),
        ("dcb4_same", DepthConvBlock(16), names.DEPTH_CONV, nhwc),
        ("dcb4_change", DepthConvBlock(24), names.DEPTH_CONV, nhwc),
        ("taming_downsample", Downsample(), CONV, nhwc),
        ("taming_upsample", Upsample(), CONV, nhwc),
        ("taming_resnet", ResBlock(64, norm_groups=32), names.RES_BLOCK, nhwc),
        (
            "taming_attn",
            SpatialAttention(norm_groups=32),
            names.SPATIAL_ATTENTION,
            nhwc,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_block(units, name, module, table, layout):
    out = run(units, name, module, table, layout(units[f"{name}.in0"]))
    expected = layout(units[f"{name}.out0"])
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


def test_cross_branch_interaction(units):
    name = "interactive_nH2_nW1"
    detail, seq = run(
        units,
        name,
        CrossBranchInteraction(num_blocks=2, head_width=64, grid=16),
        names.CROSS,
        nhwc(units[f"{name}.in0"]),
        tokens_second(units[f"{name}.in1"]),
    )
    for out, expected in (
        (detail, nhwc(units[f"{name}.out0"])),
        (seq, tokens_second(units[f"{name}.out1"])),
    ):
        np.testing.assert_allclose(out, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", ["semantic_vq", "vqgan_vq"])
def test_vector_quantizer(units, name):
    module = VectorQuantizer(
        *units[f"{name}/embedding.weight"].shape, normalize=name == "semantic_vq"
    )
    out = run(units, name, module, CODEBOOK, nhwc(units[f"{name}.in0"]))
    np.testing.assert_array_equal(out.indices, units[f"{name}.out2"])
    expected = nhwc(units[f"{name}.out0"])
    np.testing.assert_allclose(out.quantized, expected, atol=1e-6)
    # The two terms have the same value; only a sum of 1.25 times it can be seen here.
    loss = out.codebook_loss + 0.25 * out.commitment_loss
    np.testing.assert_allclose(loss, units[f"{name}.out1"], rtol=1e-6)


def test_pixel_shuffle(units):
    out = pixel_shuffle(jnp.asarray(nhwc(units["pixel_shuffle.in0"])), 2)
    np.testing.assert_array_equal(out, nhwc(units["pixel_shuffle.out0"]))


def test_legacy_token_reshape(units):
    out = legacy_token_reshape(jnp.asarray(units["token_reshape.in0"]))
    np.testing.assert_array_equal(out, units["token_reshape.out0"][..., 0])
