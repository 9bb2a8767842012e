"""Files of arrays are read, and nothing else."""

import os
import pickle

import numpy as np
import pytest

from dlf_jax.errors import UserError
from dlf_jax.perceptual.pickles import read_torch_file, unpickle_arrays
from tests.golden.make_features import FOLDER


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
    with pytest.raises(UserError, match="not allowed"):
        read_torch_file(pickle.dumps(payload), "file")


@pytest.mark.parametrize("name", ["legacy.pt", "zip.pt"])
def test_files_of_pytorch(name):
    found = read_torch_file((FOLDER / name).read_bytes(), name)
    whole = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(found["a"], whole)
    np.testing.assert_array_equal(found["part"], whole[1, :, 1:3].T)
    assert found["n"].dtype == np.int64 and found["n"] == 7
    np.testing.assert_array_equal(found["p"], np.ones(2))


@pytest.mark.parametrize("name", ["legacy.pt", "zip.pt"])
def test_damaged_files_are_errors_of_one_line(name):
    data = (FOLDER / name).read_bytes()
    for end in range(0, len(data), 7):
        with pytest.raises(UserError, match="no intact") as error:
            read_torch_file(data[:end], "file")
        assert "\n" not in str(error.value)
