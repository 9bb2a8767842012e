"""The pre-norm transformer block of the trunks (spec §3)."""

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
        qkv = Dense(
            3 * width, kernel_init=nn.initializers.xavier_uniform(), name="qkv"
        )(h)
        h = multi_head_attention(qkv, self.num_heads)
        x = x + Dense(width, name="out")(h)
        return x + Mlp(name="mlp")(LayerNorm(name="norm_mlp")(x))
