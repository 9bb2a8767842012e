"""Arrays that a step takes beside the state and the batch."""

from flax import struct

from dlf_jax.typing import PyTree


@struct.dataclass
class StepInputs:
    """Weights that change during training, and networks that do not.

    In place of arrays, the fields may also hold shapes or placements.

    Attributes:
      lmbda: float32 [R], weight λ of the bits per pixel at every rate point, lowest
        rate first.
      networks: parameters of the frozen networks of the loss, by the name of the term.
      adversarial: float32 scalar, share of the adversarial term that is in force, from
        0 to 1; the steps set it.
    """

    lmbda: PyTree
    networks: PyTree = struct.field(default_factory=dict)
    adversarial: PyTree = 0.0
