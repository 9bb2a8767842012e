"""The golden data as arrays in this package's layouts."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.checkpoints.name_map import from_official
from dlf_jax.models.config import DLFConfig, TrunkConfig, VQGANConfig


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
    sizes = json.loads((folder / "config.json").read_text())
    encoder, decoder = (
        TrunkConfig(sizes[side]["width"], sizes[side]["layers"], sizes[side]["heads"])
        for side in ("enc", "dec")
    )
    config = DLFConfig(
        encoder=encoder,
        decoder=decoder,
        encoder_interactions=tuple(sizes["in_pos_enc"]),
        decoder_interactions=tuple(sizes["in_pos_dec"]),
        num_interaction_blocks=sizes["n_attn"],
        codebook_size=sizes["codebook_size"],
        token_width=sizes["token_size"],
        detail_width=sizes["feat_dim"],
        latent_channels=sizes["quant_dim"],
        fusion_width=sizes["inner_width"],
        vqgan=VQGANConfig(
            channels=sizes["vq_ch"],
            multipliers=tuple(sizes["vq_ch_mult"]),
            num_res_blocks=sizes["vq_res"],
            z_channels=sizes["vq_z"],
            embed_dim=sizes["vq_embed_dim"],
            num_codes=sizes["vq_n_embed"],
        ),
    )
    with np.load(folder / "params.npz") as file:
        state = dict(file)
    params = jax.tree.map(jnp.asarray, from_official(state, config))
    return TinyCodec(folder, config, state, params)


@pytest.fixture(autouse=True)
def _highest_precision() -> Iterator[None]:
    """Matrix products in full float32 wherever these tests run."""
    with jax.default_matmul_precision("highest"):
        yield
