"""The name table against the official list of keys, and one set of weights."""

import json

import numpy as np
import pytest

from dlf_jax.checkpoints.name_map import name_map, to_official
from dlf_jax.models.variants import VARIANTS


@pytest.mark.slow
def test_every_key_of_the_released_size(parity):
    path = parity.parent / "spec" / "full_state_dict_keys.json"
    if not path.is_file():
        pytest.skip(f"no list of the official keys at {path}")
    shapes = {
        key["name"]: tuple(key["shape"]) for key in json.loads(path.read_text())["keys"]
    }
    entries = name_map(VARIANTS["dlf-l"])
    assert {name: entry.shape for name, entry in entries.items()} == {
        name: shape
        for name, shape in shapes.items()
        if not name.startswith(("img_loss.", "lmbda_", "epoch_"))
    }
    assert len({entry.path for entry in entries.values()}) == len(entries)


def test_weights_come_back_bit_for_bit(tiny):
    official = to_official(tiny.params, tiny.config)
    assert tiny.state.keys() - official.keys() == {
        name for name in tiny.state if name.startswith("img_loss.")
    }
    for name, array in official.items():
        assert array.dtype == tiny.state[name].dtype
        np.testing.assert_array_equal(array, tiny.state[name], err_msg=name)
