"""Mixed precision as a table over parameters.

Every layer computes in the type of its kernel (`dlf_jax.nn.layers`).  With some kernels
in bfloat16, the entropy model, the normalisations, the quantisers and the losses still
compute in float32.  The stored parameters, their gradients and the optimiser stay in
float32.
"""

import jax.numpy as jnp

from dlf_jax.paths import flatten, nest
from dlf_jax.training.stages.rules import Rules, match_rules
from dlf_jax.typing import Params

DTYPES = ("float32", "bfloat16")

_FULL, _REDUCED = "float32", "reduced"

_COMPUTE_TYPES: Rules = (
    # The context model and the discriminator, a part of the loss.
    ("(context|discriminator)/.*", _FULL),
    (".*/(norm|norm_[a-z0-9]+|[a-z]+_norm)/(scale|bias)", _FULL),
    # Sums of 9 or 25 products, which matrix units do not compute.
    (".*/(convnext_[0-9]+/conv|depth_conv)/.*", _FULL),
    # Outputs that are quantised, become probabilities, or become images.
    ("encoder/semantic/conv_out/.*|vqgan/quant_conv/.*", _FULL),
    ("analysis/block_3/ffn_out/.*|fusion/head_out/.*|head/.*", _FULL),
    ("vqgan/decoder/(conv_out|linear)/.*", _FULL),
    (".*/(kernel|bias)", _REDUCED),
    # Codebooks, positions, tokens, gains and masks are looked up or added.
    (".*", _FULL),
)


def compute_params(params: Params, dtype: str) -> Params:
    """Converts parameters to the types in which a step computes with them.

    Args:
      params: nested dictionaries of float32 parameters.
      dtype: type of most linear maps and convolutions, one of `DTYPES`.

    Returns:
      The same tree; `params` itself for "float32".  Gradients through the conversion
      are float32.
    """
    if dtype == _FULL:
        return params
    labels = flatten(match_rules(params, _COMPUTE_TYPES))
    types = {_FULL: _FULL, _REDUCED: dtype}
    leaves = {
        path: jnp.asarray(leaf, types[labels[path]])
        for path, leaf in flatten(params).items()
    }
    return nest(leaves)
