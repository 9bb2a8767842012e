"""What the codec asks of an entropy coder, whichever library does the arithmetic.

A stream is one sequence of calls; the decoder repeats the encoder's calls in the same
order with the same sizes and indexes.  Within one `encode_indexed` call the order is
part of the file format: symbols are coded by ascending table row, in array order within
a row (so that a library can code a whole row at once), and after all rows the raw
values of the escaped symbols follow in that same order.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

MAX_SYMBOL = 30000


@runtime_checkable
class SymbolEncoder(Protocol):
    """Turns integers into bytes."""

    def encode_uniform(self, symbols: Int[np.ndarray, "N"], size: int) -> None:
        """Appends symbols in [0, size), all equally likely; `size` is at least 2."""

    def encode_indexed(
        self, symbols: Int[np.ndarray, "N"], indexes: Int[np.ndarray, "N"]
    ) -> None:
        """Appends symbols in ±MAX_SYMBOL, each under its row of the Gaussian tables.

        Symbols of index -1 are not coded; they must be 0.
        """

    def finish(self) -> bytes:
        """Returns the stream; trailing zero bytes carry nothing and are left out."""


@runtime_checkable
class SymbolDecoder(Protocol):
    """Inverse of `SymbolEncoder`.

    Bytes that no encoder wrote give arbitrary symbols or a `UserError`.
    """

    def decode_uniform(self, count: int, size: int) -> Int[np.ndarray, "N"]:
        """Returns the next `count` symbols of [0, size), int32."""

    def decode_indexed(self, indexes: Int[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
        """Returns the next symbols, one for each index, int32; 0 where it is -1."""
