"""Bits by place, and images of one branch."""

import numpy as np
import pytest

from dlf_jax.codec.branches import bit_maps, decode_branch
from dlf_jax.codec.container import parse
from dlf_jax.entropy_coding.fixed_point import ONE
from dlf_jax.entropy_coding.partition import part_masks
from dlf_jax.errors import UserError
from tests.codec.tiny import TINY, random_image

IMAGE = random_image(40, 90)


@pytest.mark.parametrize("rate", [0, 1])
def test_the_maps_add_up_to_the_payload(tiny_codec, rate):
    data = tiny_codec.compress(IMAGE, rate)
    maps = bit_maps(tiny_codec, data)
    assert (maps.tile, maps.cell) == (TINY.tile_size, TINY.detail_stride) == (16, 8)
    assert maps.tokens.shape == (3, 6) and maps.details.shape == (6, 12)
    assert maps.tokens.min() > 0 and maps.details.min() >= 0
    total = (maps.tokens.sum() + maps.details.sum()) / 8
    assert abs(len(parse(data).payload) - total) < 2


class Scales:
    """Context of a latent with mean 1.5, coded in the cells of `coded` alone."""

    def __init__(self, coded):
        shape = (*coded.shape, TINY.latent_channels)
        self._masks = part_masks(*shape)
        self._scales = np.where(coded, 4.0, 0.0)[..., None]
        self.quant_step = np.ones(shape, np.float32)
        self.skip_threshold = 0.5

    def step(self, part, decoded):
        mask = self._masks[part]
        return ONE * self._scales * mask, 1.5 * ONE * mask


@pytest.fixture
def coded(tiny_codec, monkeypatch):
    """The cells with details while a test runs."""
    cells = np.random.default_rng(0).random((6, 12)) < 0.5
    context = tiny_codec.model.context
    monkeypatch.setattr(context, "of_image", lambda rate, grid: Scales(cells))
    return cells


def test_bits_are_where_the_symbols_are(tiny_codec, coded):
    maps = bit_maps(tiny_codec, tiny_codec.compress(IMAGE))
    np.testing.assert_array_equal(maps.details > 0, coded)
    # Of every symbol, those of a Gaussian with σ = 4 need at least log2(4 √2π).
    assert maps.details[coded].min() > TINY.latent_channels * 3.3


def test_one_branch_depends_on_its_symbols_alone(tiny_codec):
    data = tiny_codec.compress(IMAGE)
    whole = tiny_codec.decompress(data)
    tokens, details = (
        decode_branch(tiny_codec, data, x) for x in ("tokens", "details")
    )
    for image in (tokens, details):
        assert (image.shape, image.dtype) == (IMAGE.shape, np.uint8)
        assert (image != whole).any()
    assert (tokens != details).any()


def test_a_missing_branch_has_the_likeliest_symbols(tiny_codec, coded):
    data = tiny_codec.compress(IMAGE)
    header, code = tiny_codec.decode(data)
    likeliest = [row.likeliest for row in tiny_codec.model.tokens]
    plain = np.broadcast_to(np.int32(likeliest), code.tokens.shape)
    means = np.full_like(code.y_hat, 1.5)
    for branch, *content in (
        ("tokens", code.tokens, means),
        ("details", plain, code.y_hat),
    ):
        image = tiny_codec.network.synthesize(*content, header.rate)
        found = decode_branch(tiny_codec, data, branch)
        np.testing.assert_array_equal(found, image[:40, :90])


def test_unknown_branches_are_refused(tiny_codec):
    with pytest.raises(UserError, match="no branch 'both': use 'tokens' or 'details'"):
        decode_branch(tiny_codec, tiny_codec.compress(IMAGE), "both")
