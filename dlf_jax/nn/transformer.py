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
    """One linear map for all three, without a gradient for the bias of the keys.

    Attention does not depend on the keys' bias: its gradient would consist of rounding
    errors, which differ between meshes and which Adam scales to full size.
    """

    def _bias(self) -> Float[Array, "D"]:
        queries, keys, values = jnp.split(super()._bias(), 3)
        return jnp.concatenate([queries, jax.lax.stop_gradient(keys), values])


class TransformerBlock(nn.Module):
    """Self-attention and MLP, each normalised first and added to the stream.

    Unlike in other residual branches, the last layer of attention is not initialised
    with 0: only attention fills the latent tokens, which would otherwise start equal
    for all images, and the quantiser would keep them equal.
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
