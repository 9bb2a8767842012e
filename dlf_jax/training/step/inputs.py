"""Arrays that a step takes beside the state and the batch."""

from collections.abc import Mapping

import jax
import numpy as np
from flax import struct

from dlf_jax.typing import Array, Float, Params


@struct.dataclass
class StepInputs:
    """Weights that change during training, and networks that do not.

    Fields may hold shapes (`jax.ShapeDtypeStruct`) in place of arrays.

    Attributes:
      lmbda: weight λ of the bits per pixel at every rate point, lowest rate first.
      networks: parameters of the frozen networks of the loss, by the name of the term.
      adversarial: share of the adversarial term that is in force, from 0 to 1; the
        steps set it.
    """

    lmbda: Float[Array | np.ndarray, "R"] | jax.ShapeDtypeStruct
    networks: Mapping[str, Params] = struct.field(default_factory=dict)
    adversarial: Float[Array, ""] | jax.ShapeDtypeStruct | float = 0.0
