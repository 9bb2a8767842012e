"""Encoded images."""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, UInt8

from dlf_jax.codec.container import ParsedFile
from dlf_jax.entropy_coding.rates import Number

Image = UInt8[np.ndarray, "H W 3"]


@dataclasses.dataclass(frozen=True)
class Code:
    """The coded content of an image.

    Attributes:
      tokens: semantic code indices, tiles in reading order.
      symbols: detail symbols of the four parts, in the order of the file.
      y_hat: the decoded detail latent.
    """

    tokens: Int[np.ndarray, "T K"]
    symbols: Int[np.ndarray, "4 M"]
    y_hat: Float[np.ndarray, "1 h w N"]


@dataclasses.dataclass(frozen=True)
class Encoded:
    """An image, encoded at one rate.

    Attributes:
      file: the parts of the file.
      data: the bytes of the file, or of its payload alone.
      code: the content that the file decodes to.
      picture: computes the image that the file decodes to.
    """

    file: ParsedFile
    data: bytes
    code: Code
    picture: Callable[[], Image] = dataclasses.field(repr=False)

    @property
    def rate(self) -> Number:
        """The rate."""
        return self.file.header.rate
