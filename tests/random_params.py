"""Parameters for tests of blocks that do nothing when they are fresh."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dlf_jax.ops.windows import shift_masks


def random_params(module: nn.Module, *args: Any, seed: int = 0) -> Any:
    """Random parameters; masks keep their entries of −inf."""
    rng = np.random.default_rng(seed)
    params = jax.jit(module.init)(jax.random.key(0), *args)["params"]

    def draw(leaf):
        values = 0.3 * rng.normal(size=leaf.shape)
        return jnp.asarray(np.where(np.isneginf(leaf), leaf, values), jnp.float32)

    return jax.tree.map(draw, params)


def constructed_masks(window: int) -> dict[str, np.ndarray]:
    """Constructed masks of shifted windows, by names of parameters."""
    names = ("upper_lower_mask", "left_right_mask")
    return dict(zip(names, shift_masks(window), strict=True))
