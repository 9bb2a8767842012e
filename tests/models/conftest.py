"""A codec of very small and unequal sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.models.config import DLFConfig, TrunkConfig, VQGANConfig
from dlf_jax.models.dlf import DLF
from dlf_jax.ops.windows import shift_masks

# Trunks differ in width, depth, heads and interactions, groups of blocks in length; a
# tile has 2x2 windows.
CONFIG = DLFConfig(
    encoder=TrunkConfig(width=12, num_layers=2, num_heads=3),
    decoder=TrunkConfig(width=8, num_layers=1, num_heads=2),
    encoder_interactions=(1,),
    decoder_interactions=(0,),
    num_interaction_blocks=1,
    num_stage_blocks=1,
    num_detail_in_blocks=3,
    num_detail_out_blocks=1,
    num_fusion_in_blocks=1,
    num_fusion_blocks=2,
    patch_size=4,
    grid=4,
    window=2,
    head_width=4,
    num_tokens=3,
    codebook_size=16,
    token_width=5,
    detail_width=8,
    latent_channels=4,
    num_spatial_blocks=2,
    num_rates=2,
    fusion_width=8,
    vqgan=VQGANConfig(
        channels=4,
        multipliers=(1, 2, 2),
        num_res_blocks=1,
        attention_levels=(2,),
        z_channels=6,
        embed_dim=5,
        num_codes=7,
        norm_groups=2,
    ),
)


@pytest.fixture(scope="session")
def config() -> DLFConfig:
    return CONFIG


@pytest.fixture(scope="session")
def variables():
    """Random parameters, drawn without compiling anything."""

    def touch_everything(model, image):
        model(image, jnp.zeros(1, jnp.int32))
        model.vqgan(image)

    image = jnp.zeros((1, CONFIG.tile_size, CONFIG.tile_size, 3))
    shapes = jax.eval_shape(
        lambda key: DLF(CONFIG).init(key, image, method=touch_everything),
        jax.random.key(0),
    )
    rng = np.random.default_rng(0)
    masks = dict(
        zip(
            ("upper_lower_mask", "left_right_mask"),
            shift_masks(CONFIG.window),
            strict=True,
        )
    )

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

    return jax.tree_util.tree_map_with_path(draw, shapes)


@pytest.fixture(scope="session")
def image() -> jax.Array:
    """Two images of 1x2 tiles in [−1, 1]."""
    values = np.random.default_rng(1).uniform(-1, 1, (2, 16, 32, 3))
    return jnp.asarray(values, jnp.float32)
