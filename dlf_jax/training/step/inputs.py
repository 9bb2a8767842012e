"""Arrays that a step takes beside the state and the batch."""

from collections.abc import Mapping
from typing import no_type_check

from flax import struct

from dlf_jax.typing import Array, Float, Params


@no_type_check  # JAX puts shapes and placements into these fields, too
@struct.dataclass
class StepInputs:
    """Weights that change during training, and networks that do not.

    Attributes:
      lmbda: weight λ of the bits per pixel at every rate point, lowest rate first.
      networks: parameters of the frozen networks of the loss, by the name of the term.
      adversarial: share of the adversarial term that is in force, from 0 to 1; the
        steps set it.
    """

    lmbda: Float[Array, "R"]
    networks: Mapping[str, Params] = struct.field(default_factory=dict)
    adversarial: Float[Array, ""] | float = 0.0
