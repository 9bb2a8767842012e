"""A small codec with weights from a seed: ``python -m tests.golden.codec codec.npz``.

Writes the stations that `test_codec.py` compares with.  They were made by the network
of this package once it agreed with the official one (``tests/parity``), so they hold
what was agreed on for those who do not have the official golden data.
"""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.entropy.gaussian import rounded_bits
from dlf_jax.models.dlf import DLF
from tests.configs import RELEASED_DEPTHS, parameter_shapes, tiny
from tests.random_params import constructed_masks
from tests.x64 import x64

# Unequal trunks, two windows a tile side, two rates, attention in the VQGAN.
CONFIG = tiny(
    **RELEASED_DEPTHS,
    encoder={"width": 24, "num_layers": 3, "num_heads": 3},
    decoder={"width": 16, "num_layers": 2, "num_heads": 2},
    encoder_interactions=(0, 2),
    decoder_interactions=(1,),
    window=2,
    head_width=8,
    num_tokens=3,
    codebook_size=32,
    token_width=5,
    detail_width=16,
    latent_channels=8,
    fusion_width=16,
    vqgan={
        "channels": 8,
        "multipliers": (1, 2, 2),
        "attention_levels": (2,),
        "mid_attention": True,
        "z_channels": 6,
        "embed_dim": 5,
        "num_codes": 12,
        "norm_groups": 4,
    },
)
_UNIT = ("scale", "layer_scale", "gain")


def image() -> np.ndarray:
    """Two images of 1x2 tiles in [-1, 1]."""
    pixels = np.random.default_rng(3).uniform(-1, 1, (2, 16, 32, 3))
    return pixels.astype(np.float32).astype(np.float64)


def params() -> dict[str, Any]:
    """Random weights, of which none is zero and all fit 16-bit floats."""
    shapes = parameter_shapes(CONFIG)
    base = constructed_masks(CONFIG.window)
    rng = np.random.default_rng(0)

    def draw(path, shape):
        name, values = path[-1].key, rng.normal(size=shape.shape)
        if name in _UNIT:
            values = 1 + 0.3 * values
        elif name == "kernel":
            values *= np.prod(shape.shape[:-1]) ** -0.5
        elif name in base:
            values = 0.3 * values + base[name]
        return values.astype(np.float16).astype(np.float64)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def stations() -> dict[str, np.ndarray]:
    """Intermediate results of the network for `image`, to symbols and back.

    In float64: weights this wild multiply the rounding errors of float32 by thousands,
    and those are of another size on every kind of processor.
    """

    def run(model, x):
        rate = jnp.array([0, 1])
        found = model.analyze(x, rate)
        prior = model.prior(rate, found.y.shape[1:3])
        coded = model.context(found.y, prior)
        out = model(x, rate)
        return {
            "tokens": found.tokens,
            "y": found.y,
            "step": prior.step,
            "residuals": coded.residuals,
            "symbols": coded.symbols,
            "scales": coded.scales,
            "y_hat": coded.y_hat,
            "bits": jnp.sum(rounded_bits(coded.symbols, coded.scales), (1, 2, 3)),
            "logits": out.logits,
            "latent": out.latent,
            "recon": model.synthesize(found.tokens, coded.y_hat, rate),
        }

    apply = jax.jit(lambda p, x: DLF(CONFIG).apply({"params": p}, x, method=run))
    with x64(True):
        return jax.device_get(apply(params(), image()))


if __name__ == "__main__":
    found = stations()
    # So far from a tie, no machine rounds another way.
    assert np.abs(np.abs(found["residuals"] % 1) - 0.5).min() > 1e-3
    np.savez_compressed(sys.argv[1], **found)
