"""A codec of very small and unequal sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.models.config import DLFConfig
from tests.configs import parameter_shapes, tiny
from tests.random_params import constructed_masks

# Trunks differ in width, depth, heads and interactions, groups of blocks in length; a
# tile has 2x2 windows.
CONFIG = tiny(
    encoder={"width": 12, "num_layers": 2, "num_heads": 3},
    decoder={"num_heads": 2},
    encoder_interactions=(1,),
    num_detail_in_blocks=3,
    window=2,
    num_tokens=3,
    token_width=5,
    num_spatial_blocks=2,
    vqgan={
        "multipliers": (1, 2, 2),
        "attention_levels": (2,),
        "mid_attention": True,
        "z_channels": 6,
        "embed_dim": 5,
        "num_codes": 7,
    },
)


@pytest.fixture(scope="session")
def config() -> DLFConfig:
    return CONFIG


@pytest.fixture(scope="session")
def variables():
    """Random parameters, drawn without compiling anything."""
    rng = np.random.default_rng(0)
    masks = constructed_masks(CONFIG.window)

    def draw(path, shape):
        name = path[-1].key
        values = rng.normal(size=shape.shape)
        if name in ("scale", "layer_scale", "gain"):
            values = 1 + 0.3 * values
        elif name == "kernel":
            values *= np.prod(shape.shape[:-1]) ** -0.5
        else:
            values = 0.1 * values + masks.get(name, 0.0)
        return jnp.asarray(values, jnp.float32)

    return {"params": jax.tree_util.tree_map_with_path(draw, parameter_shapes(CONFIG))}


@pytest.fixture(scope="session")
def image() -> jax.Array:
    """Two images of 1x2 tiles in [−1, 1]."""
    values = np.random.default_rng(1).uniform(-1, 1, (2, 16, 32, 3))
    return jnp.asarray(values, jnp.float32)
