"""Fusion of both branches into logits over the VQGAN's codes.

See docs/architecture.md#latent-fusion.
"""

from functools import partial

import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.models.config import DLFConfig
from dlf_jax.nn.layers import LayerNorm, dense
from dlf_jax.nn.swin import SwinGroup
from dlf_jax.typing import Array, Float


class LatentFusion(nn.Module):
    """Semantic and detail features to one distribution over codes per cell."""

    config: DLFConfig

    @nn.compact
    def __call__(
        self, semantic: Float[Array, "B H W D"], detail: Float[Array, "B H W F"]
    ) -> Float[Array, "B H W K"]:
        cfg = self.config
        group = partial(SwinGroup, window=cfg.window, head_width=cfg.head_width)
        semantic, detail = (
            group(cfg.num_fusion_in_blocks, name=name)(x)
            for name, x in (("semantic_in", semantic), ("detail_in", detail))
        )
        x = jnp.concatenate([semantic, detail], axis=-1)
        x = dense(x, 2 * semantic.shape[-1], "merge_hidden")
        x = nn.silu(LayerNorm(name="merge_norm")(x))
        x = dense(x, cfg.fusion_width, "merge_out")
        x = group(cfg.num_fusion_blocks, name="body")(x)
        x = LayerNorm(name="head_norm")(x)
        x = jnp.tanh(dense(x, 2 * cfg.fusion_width, "head_hidden"))
        return dense(x, cfg.vqgan.num_codes, "head_out")
