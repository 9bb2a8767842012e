"""Interfaces of entropy coders.

A coder has a list of distributions, its rows, and codes each symbol under one of these
rows.  A stream is one sequence of calls; the decoder repeats the encoder's calls with
the same rows, in the same order.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

MAX_SYMBOL = 30000


@runtime_checkable
class SymbolEncoder(Protocol):
    """Turns integers into bytes."""

    def encode(self, symbols: Int[np.ndarray, "N"], rows: Int[np.ndarray, "N"]) -> None:
        """Appends symbols within ±`MAX_SYMBOL`, each under the distribution of its row.

        Symbols of row -1 are not coded; they must be 0.
        """

    def finish(self) -> bytes:
        """Returns the stream; the decoder continues it with zeros."""


@runtime_checkable
class SymbolDecoder(Protocol):
    """Inverse of `SymbolEncoder`.

    Bytes that no encoder wrote give arbitrary symbols or a `UserError`.
    """

    def decode(self, rows: Int[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
        """Returns the next symbols, one for each row, int32; 0 where it is -1."""


def check_symbols(symbols: Int[np.ndarray, "N"], rows: Int[np.ndarray, "N"]) -> None:
    """Raises ValueError for symbols that `SymbolEncoder.encode` does not accept."""
    if symbols.size and np.abs(symbols).max() > MAX_SYMBOL:
        raise ValueError(f"symbols beyond ±{MAX_SYMBOL}")
    if np.any(symbols[rows < 0]):
        raise ValueError("a symbol that is not coded must be 0")
