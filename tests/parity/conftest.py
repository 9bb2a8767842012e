"""The golden data as arrays in this package's layouts."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.checkpoints.name_map import from_official
from dlf_jax.models.config import DLFConfig
from tests.golden.sizes import official_config


def channels_last(array: np.ndarray) -> np.ndarray:
    """NCHW to NHWC; sequences are stored as we hold them."""
    return np.moveaxis(array, 1, -1) if array.ndim == 4 else array


def load(path: Path) -> dict[str, np.ndarray]:
    """A file of golden data; maps become NHWC unless they are already."""
    with np.load(path) as file:
        return {
            name: file[name] if name.endswith("_nhwc") else channels_last(file[name])
            for name in file.files
        }


@dataclasses.dataclass(frozen=True)
class TinyCodec:
    """The official codec at reduced sizes.

    Attributes:
      folder: where its golden data lies.
      config: its sizes.
      state: its parameters under the official names.
      params: the same as our parameter tree.
    """

    folder: Path
    config: DLFConfig
    state: dict[str, np.ndarray]
    params: dict[str, Any]

    def image(self, case: str) -> jax.Array:
        """Input images A, B, C, or the training batch T: both halves of B."""
        with np.load(self.folder / "inputs.npz") as file:
            image = file["B" if case == "T" else case].astype(np.float32) / 255 * 2 - 1
        if case == "T":
            image = np.concatenate(np.split(image, 2, axis=2))
        return jnp.asarray(image)

    def golden(self, name: str) -> dict[str, np.ndarray]:
        """Arrays of one file."""
        return load(self.folder / f"{name}.npz")


@pytest.fixture(scope="session")
def tiny(parity: Path) -> TinyCodec:
    """The reduced codec with trunks of different sizes."""
    folder = parity / "tiny_a"
    config = official_config(json.loads((folder / "config.json").read_text()))
    with np.load(folder / "params.npz") as file:
        state = dict(file)
    params = jax.tree.map(jnp.asarray, from_official(state, config))
    return TinyCodec(folder, config, state, params)


@pytest.fixture(autouse=True)
def _precision(highest_precision: None) -> None:
    """All of these tests need it."""
