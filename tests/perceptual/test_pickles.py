"""Pickles of arrays are read, and nothing else."""

import os
import pickle

import numpy as np
import pytest

from dlf_jax.perceptual.pickles import unpickle_arrays


class _Exploit:
    def __reduce__(self):
        return (os.system, ("true",))


def test_arrays_survive_unpickling():
    tree = {
        "a": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)},
        "n": [1, "x"],
    }
    found = unpickle_arrays(pickle.dumps(tree, protocol=4))
    np.testing.assert_array_equal(found["a"]["kernel"], tree["a"]["kernel"])
    assert found["n"] == [1, "x"]


@pytest.mark.parametrize("payload", [_Exploit(), print, os.path.join, np.save])
def test_code_is_rejected(payload):
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        unpickle_arrays(pickle.dumps({"conv": payload}))
