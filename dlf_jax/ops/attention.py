"""Scaled dot-product attention over heads."""

import jax.numpy as jnp

from dlf_jax.ops.sums import softmax
from dlf_jax.typing import Array, Float


def multi_head_attention(
    qkv: Float[Array, "*S L D3"],
    num_heads: int,
    bias: Float[Array, "*#S #L #L"] | None = None,
) -> Float[Array, "*S L D"]:
    """Attention among the L tokens of each leading index.

    Args:
      qkv: queries, keys and values as three equal consecutive channel chunks; heads are
        equal consecutive slices of each chunk.
      num_heads: number of heads.
      bias: added to the scores of every head after scaling by 1/√(head width);
        −inf forbids a pair.

    Returns:
      The heads' results, concatenated, in the type of `qkv`; scores and their softmax
      are float32 at least.
    """
    *lead, length, width3 = qkv.shape
    qkv = qkv.reshape(*lead, length, 3, num_heads, width3 // 3 // num_heads)
    q, k, v = (qkv[..., i, :, :] for i in range(3))
    exact = jnp.promote_types(q.dtype, jnp.float32)
    scores = jnp.einsum("...qhd,...khd->...hqk", q, k, preferred_element_type=exact)
    scores = scores * q.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias[..., None, :, :]
    weights = softmax(scores).astype(v.dtype)
    out = jnp.einsum("...hqk,...khd->...qhd", weights, v)
    return out.reshape(*lead, length, width3 // 3)
