"""The pre-norm transformer block of the trunks (docs/architecture.md#vit-trunk)."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.nn.layers import Dense, LayerNorm, gelu
from dlf_jax.nn.remat import block
from dlf_jax.ops.attention import multi_head_attention
from dlf_jax.typing import Array, Float


class Mlp(nn.Module):
    """Linear, GELU, linear, with four times the width inside."""

    @nn.compact
    def __call__(self, x: Float[Array, "*S D"]) -> Float[Array, "*S D"]:
        width = x.shape[-1]
        h = gelu(Dense(4 * width, name="up")(x))
        return Dense(width, kernel_init=nn.initializers.zeros, name="down")(h)


class _QueriesKeysValues(Dense):
    """All three of them by one linear map, without a gradient of the bias of keys.

    No attention depends on that bias: its gradient would be rounding errors, which Adam
    brings to full size, others on every mesh.
    """

    def _bias(self) -> Float[Array, "D"]:
        queries, keys, values = jnp.split(super()._bias(), 3)
        return jnp.concatenate([queries, jax.lax.stop_gradient(keys), values])


class TransformerBlock(nn.Module):
    """Self-attention and MLP, each normalised first and added to the stream.

    Unlike other branches, a fresh attention is not silent: what nothing but attention
    fills, as the latent tokens, would be the same for every image, and the quantiser
    would hold it there.
    """

    num_heads: int

    @block
    @nn.compact
    def __call__(self, x: Float[Array, "*S L D"]) -> Float[Array, "*S L D"]:
        width = x.shape[-1]
        h = LayerNorm(name="norm_attention")(x)
        qkv = _QueriesKeysValues(
            3 * width, kernel_init=nn.initializers.xavier_uniform(), name="qkv"
        )(h)
        h = multi_head_attention(qkv, self.num_heads)
        x = x + Dense(width, name="out")(h)
        return x + Mlp(name="mlp")(LayerNorm(name="norm_mlp")(x))
