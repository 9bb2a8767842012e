"""Sizes of the network: a variant, and settings of every field."""

import dataclasses

import pytest

from dlf_jax.errors import UserError
from dlf_jax.models.variants import VARIANTS
from dlf_jax.paths import flatten
from dlf_jax.training.settings.sizes import SIZES, model_config, model_name
from dlf_jax.training.settings.table import check_values
from tests.training import tiny

_FIELDS = flatten(VARIANTS["dlf-l"].to_dict(), ".")


def test_every_field_has_a_setting_and_no_other():
    fields = {f"model.{name}" for name in _FIELDS}
    assert SIZES.keys() - {"model.variant"} == fields


@pytest.mark.parametrize("variant", VARIANTS)
def test_sizes_of_the_variants_are_in_range(variant):
    values = {"model": VARIANTS[variant].to_dict() | {"variant": variant}}
    check_values(values, SIZES)


@pytest.mark.parametrize("name", _FIELDS)
def test_none_is_the_size_of_the_variant_and_text_is_no_size(name):
    setting = f"model.{name}"
    check_values({setting: None}, [setting])
    for value in ("1", -1, (-1,), float("nan")):
        with pytest.raises(UserError, match=f"^{setting} must be .* that of the var"):
            check_values({setting: value}, [setting])


def test_sizes_replace_those_of_the_variant():
    nano = VARIANTS["dlf-nano"]
    sizes = {
        "variant": "dlf-nano",
        "detail_width": 128,
        "encoder": {"num_layers": 5, "width": None},
        "vqgan": {"texture_channels": 0},
    }
    assert model_config(sizes) == dataclasses.replace(
        nano,
        detail_width=128,
        encoder=dataclasses.replace(nano.encoder, num_layers=5),
        vqgan=dataclasses.replace(nano.vqgan, texture_channels=0),
    )
    assert model_config({"variant": "dlf-nano"}) == nano
    assert model_config({"variant": "dlf-l"} | tiny.TINY.to_dict()) == tiny.TINY


def test_variants_cannot_be_changed():
    with pytest.raises(TypeError):
        VARIANTS["dlf-nano"] = VARIANTS["dlf-l"]


def test_a_model_with_other_sizes_has_another_name():
    assert model_name({"variant": "dlf-nano", "num_rates": 4}) == "dlf-nano"
    assert model_name({"variant": "dlf-nano", "num_rates": 2}) == "dlf-nano-custom"


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"patch_size": 8}, "patch_size must equal the stride of the VQGAN"),
        ({"encoder": {"width": 130}}, "width 130 is no multiple of 4"),
        ({"encoder_interactions": (0, 3)}, "must be ascending trunk layers"),
        ({"detail_width": 100}, "detail_width must be a multiple of head_width"),
        ({"fusion_width": 100}, "fusion_width must be a multiple of head_width"),
        ({"vqgan": {"norm_groups": 48}}, "norm_groups must divide"),
        ({"vqgan": {"attention_levels": (3,)}}, "attention_levels must be levels"),
    ],
)
def test_sizes_that_contradict_each_other(sizes, message):
    with pytest.raises(UserError, match=f"contradict each other: .*{message}"):
        model_config({"variant": "dlf-nano"} | sizes)
