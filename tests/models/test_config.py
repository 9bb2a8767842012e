import dataclasses
import json
import tracemalloc

import pytest

from dlf_jax.models.config import DLFConfig, TrunkConfig, VQGANConfig
from dlf_jax.models.variants import VARIANTS


@pytest.mark.parametrize("name", VARIANTS)
def test_round_trip_through_json(name):
    config = VARIANTS[name]
    copy = DLFConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert copy == config
    assert hash(copy) == hash(config)


def test_strides_and_tiles():
    config = VARIANTS["dlf-l"]
    assert config.tile_size == 256
    assert config.detail_stride == 32
    assert config.vqgan.stride == 16
    assert VARIANTS["dlf-nano"].tile_size == 128


@pytest.mark.parametrize(
    "change",
    [
        {"patch_size": 8},
        {"grid": 12, "window": 8},
        {"grid": 5, "window": 5},
        {"latent_channels": 30},
        {"patch_size": 10, "vqgan": VQGANConfig(multipliers=(1, 2), patch=5)}
        | {"stem_channels": 8},
        {"encoder_interactions": (3, 24)},
        {"encoder_interactions": (7, 3)},
        {"decoder_interactions": (3, 3)},
        {"vqgan": VQGANConfig(multipliers=(1, 1, 2, 4))},
    ],
    ids=str,
)
def test_sizes_that_contradict_each_other_raise(change):
    with pytest.raises(ValueError, match="must|multiple"):
        dataclasses.replace(VARIANTS["dlf-l"], **change)


def test_the_number_of_layers_costs_nothing():
    """Model directories may come from anyone: layers are not listed to check them."""
    layers = 10**12
    trunk = dataclasses.replace(VARIANTS["dlf-l"].encoder, num_layers=layers)
    tracemalloc.start()
    config = dataclasses.replace(
        VARIANTS["dlf-l"], encoder=trunk, encoder_interactions=(0, layers - 1)
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert config.encoder.num_layers == layers
    assert peak < 10**7  # of all threads of this process
    with pytest.raises(ValueError, match="trunk layers"):
        dataclasses.replace(config, encoder_interactions=(0, layers))


def test_heads_divide_the_width_of_a_trunk():
    with pytest.raises(ValueError, match="100"):
        TrunkConfig(width=100, num_layers=1, num_heads=16)


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_fields_must_be_exactly_those_of_the_class(change):
    values = VARIANTS["dlf-nano"].to_dict()
    if change == "missing":
        del values["encoder"]
    else:
        values["encoder_width"] = 5
    with pytest.raises(TypeError, match="encoder"):
        DLFConfig.from_dict(values)
