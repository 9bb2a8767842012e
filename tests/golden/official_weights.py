"""Weights of the official codec at reduced sizes, from the names of its arrays.

The official network and ours get the same numbers, so the golden data need no weights.
"""

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from tests.random_params import constructed_masks

# Unequal trunks; the rest as small as the official blocks allow.
SIZES = {
    "enc": {"width": 48, "layers": 2, "heads": 3},
    "dec": {"width": 64, "layers": 2, "heads": 2},
    "in_pos_enc": [0, 1],
    "in_pos_dec": [1],
    "n_attn": 1,
    "codebook_size": 64,
    "token_size": 6,
    "feat_dim": 64,
    "quant_dim": 16,
    "inner_width": 64,
    "vq_ch": 32,
    "vq_ch_mult": [1, 1, 1, 1, 2],
    "vq_res": 1,
    "vq_z": 32,
    "vq_embed_dim": 24,
    "vq_n_embed": 64,
}
WINDOW = 16
SKIP_THRESHOLD = 0.12
_PHOTO = Path(__file__).parents[2] / "launch/assets/coffee.png"
_AROUND_ONE = ("layer_scale", "enc_q", "dec_q")


def official_image() -> np.ndarray:
    """An image of 1x2 tiles in [-1, 1], float64 of shape (1, 256, 512, 3)."""
    with Image.open(_PHOTO) as photo:
        pixels = np.asarray(photo.convert("RGB"))[None, :256, :512]
    return pixels / 255 * 2 - 1


def official_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Official name -> float64 array.

    Args:
      shapes: official name -> shape.
    """
    return {name: _draw(name, shape) for name, shape in shapes.items()}


def _draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    # RandomState draws the same numbers with every version of NumPy.
    random = np.random.RandomState(zlib.crc32(name.encode()))
    values = random.random_sample(shape) * 2 - 1
    masks = constructed_masks(WINDOW)
    kind = name.rpartition(".")[2]
    if kind in masks:
        return masks[kind] + 0.3 * values
    if kind in _AROUND_ONE or (kind == "weight" and len(shape) == 1):
        return 1 + 0.3 * values
    if kind.endswith("bias"):
        return 0.3 * values
    if kind.endswith("weight") and "embedding" not in name:
        return values * (1.5 / np.prod(shape[1:])) ** 0.5
    return values
