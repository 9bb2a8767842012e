"""Sizes come back from names and shapes alone, whatever they are."""

import dataclasses

import pytest

from dlf_jax.checkpoints.infer import Heads, infer_codec, infer_titok, infer_vqgan
from dlf_jax.checkpoints.name_map import name_map
from dlf_jax.errors import UserError
from dlf_jax.models.config import TrunkConfig
from dlf_jax.models.variants import VARIANTS
from tests.checkpoints.official import CONFIG, HEADS, random_config


def shapes_of(config, kind="dlf"):
    return {name: entry.shape for name, entry in name_map(config, kind).items()}


@pytest.fixture(scope="module")
def shapes():
    """Of a whole checkpoint."""
    return shapes_of(CONFIG)


@pytest.mark.parametrize(
    "seed",
    [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))],
)
def test_every_size_comes_back(seed):
    config = random_config(seed)
    heads = Heads(config.encoder.num_heads, config.decoder.num_heads)
    assert infer_codec(shapes_of(config), heads) == config


@pytest.mark.slow
def test_the_released_size_needs_no_help():
    config = VARIANTS["dlf-l"]
    assert infer_codec(shapes_of(config), Heads()) == config


def test_parts_are_found_in_the_whole_and_alone(shapes):
    sizes = infer_titok(shapes, HEADS, "hybrid_codec.")
    assert (sizes["encoder"], sizes["grid"]) == (CONFIG.encoder, CONFIG.grid)
    assert infer_vqgan(shapes, "vqgan.") == CONFIG.vqgan
    alone = {
        name.removeprefix("vqgan."): shape
        for name, shape in shapes.items()
        if name.startswith("vqgan.")
    }
    assert infer_vqgan(alone) == CONFIG.vqgan


def test_a_vqgan_without_its_encoder(shapes):
    kept = {n: s for n, s in shapes.items() if not n.startswith("vqgan.encoder.")}
    assert infer_codec(kept, HEADS) == CONFIG


def test_heads_are_64_wide_unless_told(shapes):
    config = infer_codec(shapes, Heads())
    assert [config.encoder, config.decoder] == [
        dataclasses.replace(trunk, num_heads=trunk.width // 64)
        for trunk in (CONFIG.encoder, CONFIG.decoder)
    ]
    assert config.head_width == 64
    assert infer_codec(shapes, Heads(width=32)).head_width == 32


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        (Heads(encoder=7), "encoder's width .* does not fit 7 heads"),
        (Heads(width=48), "detail branch is .* give .* --head-width"),
    ],
)
def test_heads_that_do_not_fit(shapes, heads, message):
    with pytest.raises(UserError, match=message):
        infer_codec(shapes, heads)


def test_an_unusual_width_needs_its_heads():
    config = dataclasses.replace(CONFIG, encoder=TrunkConfig(40, 2, 5))
    config = dataclasses.replace(config, encoder_interactions=())
    shapes = shapes_of(config, "titok")
    with pytest.raises(UserError, match="40 wide.*--encoder-heads"):
        infer_titok(shapes, Heads())
    found = infer_titok(shapes, Heads(encoder=5))
    assert (found["encoder"], found["decoder"].width) == (config.encoder, 64)


@pytest.mark.parametrize("change", [-1, 1, None])
def test_one_wrong_array_changes_no_size(shapes, change):
    """So that the comparison of all names and shapes names it."""
    free = "hybrid_codec.quantize.embedding.weight"  # alone has the codebook's size
    for name in list(shapes)[::20]:
        wrong = dict(shapes)
        shape = wrong.pop(name)
        if change is not None:
            wrong[name] = tuple(n + change for n in shape)
        if name != free:
            assert infer_codec(wrong, HEADS) == CONFIG, name
    stray = "hybrid_codec.encoder.transformer.9.ln_1.bias"
    assert infer_codec({**shapes, stray: (3,)}, HEADS) == CONFIG


def test_foreign_widths_of_a_vqgan_are_refused(shapes):
    wrong = {n: tuple(x // 2 for x in s) for n, s in shapes.items() if "vqgan" in n}
    with pytest.raises(UserError, match="levels of the VQGAN"):
        infer_vqgan(wrong, "vqgan.")


def test_absent_parts_are_named():
    with pytest.raises(UserError, match=r"lacks hybrid_codec\.encoder\.class_embed"):
        infer_codec({"hybrid_codec.latent_tokens": (3, 64)}, HEADS)
