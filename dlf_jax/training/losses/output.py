"""Results of a loss: its value, its terms, and the use of codebooks."""

from flax import struct

from dlf_jax.nn.vector_quantizer import VQOutput
from dlf_jax.typing import Array, Float, Int


@struct.dataclass
class CodebookUse:
    """Vectors that a quantiser was given, and indices of their codes."""

    inputs: Float[Array, "B L D"]
    indices: Int[Array, "B L"]

    @classmethod
    def of(cls, vq: VQOutput, num_images: int) -> "CodebookUse":
        """Returns the use of a codebook by a quantiser, for each of the images."""
        width = vq.inputs.shape[-1]
        return cls(
            vq.inputs.reshape(num_images, -1, width), vq.indices.reshape(num_images, -1)
        )


@struct.dataclass
class LossOutput:
    """Loss of a batch.

    Attributes:
      loss: the value to minimise.
      metrics: its terms without their weights, and other scalars to be logged.
      codes: use of every codebook of the stage, by the path of the codebook.
      bpp: bits per pixel of every image, with rounded symbols ("bpp") and with noise in
        place of rounding ("bpp_noisy"); None where nothing is coded.
      statistics: new values of the parameters that have no gradient and follow the
        data, by path.
    """

    loss: Float[Array, ""]
    metrics: dict[str, Float[Array, ""]]
    codes: dict[str, CodebookUse]
    bpp: dict[str, Float[Array, "B"]] | None = None
    statistics: dict[str, Array] = struct.field(default_factory=dict)
