"""A tiny codec with random weights: it compresses nothing, but every step is real."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.checkpoints.store import save_model
from dlf_jax.entropy_coding.token_tables import fit_frequencies
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dlf import DLF
from tests.configs import tiny

TINY = tiny(
    encoder={"width": 16, "num_heads": 2},
    decoder={"width": 16, "num_heads": 2},
    window=2,
    head_width=8,
    num_tokens=3,
    codebook_size=50,
    detail_width=16,
    latent_channels=8,
    fusion_width=16,
    vqgan={"channels": 8, "z_channels": 8, "embed_dim": 8, "num_codes": 16},
)


def make_model(
    directory: Path, seed: int = 0, name: str = "tiny", config: DLFConfig = TINY
) -> None:
    """Writes a model directory with random weights, those of masks among them."""

    def everything(module, image, rate):
        return module.reconstruct(module(image, rate).latent)

    image, rate = jnp.zeros((1, *2 * (config.tile_size,), 3)), jnp.zeros(1, int)
    shapes = jax.eval_shape(
        lambda key: DLF(config).init(key, image, rate, method=everything),
        jax.random.key(0),
    )["params"]
    rng = np.random.default_rng(seed)

    def fill(path, leaf):
        noise = rng.normal(size=leaf.shape)
        if leaf.ndim > 1:
            return noise / np.prod(leaf.shape[:-1]) ** 0.5
        return 0.1 * noise + (path[-1].key == "scale")

    params = jax.tree_util.tree_map_with_path(fill, shapes)
    counts = rng.geometric(0.1, (config.num_tokens, config.codebook_size))
    save_model(
        directory,
        name=name,
        config=config,
        params=params,
        dtype=np.float32,
        token_frequencies=fit_frequencies(counts),
    )


def random_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (height // 8 + 1, width // 8 + 1, 3))
    image = np.kron(coarse, np.ones((8, 8, 1)))[:height, :width]
    return (image + rng.integers(0, 56, image.shape)).astype(np.uint8)
