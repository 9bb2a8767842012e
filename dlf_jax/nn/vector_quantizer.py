"""Vector quantisers: Euclidean (the VQGAN's) and on the sphere (the semantic one).

See docs/architecture.md#vqgan and docs/architecture.md#semantic-quantiser.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from dlf_jax.ops.quantization import l2_normalize, nearest_code, straight_through
from dlf_jax.typing import Array, Float, Int


@struct.dataclass
class VQOutput:
    """Result of a vector quantiser.

    Attributes:
      inputs: the vectors that were quantised, normalised where the quantiser does; with
        their gradient.
      quantized: straight-through code vectors, shape of the input.
      codes: the same code vectors as a target, without gradient.
      indices: index of each code.
      codebook_loss: mean squared distance; its gradient moves the codebook only.
      commitment_loss: the same value; its gradient moves the input only.
    """

    inputs: Float[Array, "*S D"]
    quantized: Float[Array, "*S D"]
    codes: Float[Array, "*S D"]
    indices: Int[Array, "*S"]
    codebook_loss: Float[Array, ""]
    commitment_loss: Float[Array, ""]


class VectorQuantizer(nn.Module):
    """Nearest-neighbour codebook.

    Attributes:
      num_codes: entries of the codebook.
      width: channels of an entry.
      normalize: compare on the unit sphere; the codes returned are then unit vectors.
    """

    num_codes: int
    width: int
    normalize: bool = False

    def setup(self):
        def uniform(key, shape):
            return jax.random.uniform(
                key, shape, minval=-1 / self.num_codes, maxval=1 / self.num_codes
            )

        self.embedding = self.param("embedding", uniform, (self.num_codes, self.width))

    @property
    def codebook(self) -> Float[Array, "K D"]:
        """The code vectors, of unit length where the quantiser normalises."""
        return l2_normalize(self.embedding) if self.normalize else self.embedding

    def lookup(self, indices: Int[Array, "*S"]) -> Float[Array, "*S D"]:
        """Code vectors of `indices`."""
        return self.codebook[indices]

    def __call__(self, x: Float[Array, "*S D"]) -> VQOutput:
        """Quantises `x`, after normalisation where the quantiser normalises."""
        if self.normalize:
            x = l2_normalize(x)
        codebook = self.codebook
        indices = nearest_code(x, codebook)
        codes = codebook[indices]
        fixed_x, fixed_codes = jax.lax.stop_gradient((x, codes))
        return VQOutput(
            inputs=x,
            quantized=straight_through(codes, x),
            codes=fixed_codes,
            indices=indices,
            codebook_loss=jnp.mean((codes - fixed_x) ** 2),
            commitment_loss=jnp.mean((fixed_codes - x) ** 2),
        )
