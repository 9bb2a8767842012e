"""Decoding of truncated or damaged streams."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from dlf_jax.entropy_coding.symbol_coder import SymbolDecoder
from dlf_jax.entropy_coding.tables import Distribution
from dlf_jax.errors import UserError

# Decoders read ahead: the last symbols depend on bits after the end.
_MARGIN_BITS = 16


class SalvagingDecoder:
    """A `SymbolDecoder` that returns the likeliest symbols after the end of the stream.

    The position in the stream is estimated by the information of the decoded symbols,
    which range coders spend to within a few bits.

    Args:
      decoder: decoder of the stream, continued with zeros.
      distributions: the decoder's distributions.
      num_bytes: length of the stream.
    """

    def __init__(
        self,
        decoder: SymbolDecoder,
        distributions: Sequence[Distribution],
        num_bytes: int,
    ):
        self._decoder = decoder
        self._distributions = distributions
        self._likeliest = np.array([d.likeliest for d in distributions], np.int32)
        self._bits_left = 8.0 * num_bytes - _MARGIN_BITS
        self._read = self._asked = 0

    @property
    def share(self) -> float:
        """Fraction of the requested symbols that were read from the stream."""
        return self._read / self._asked if self._asked else 1.0

    def decode(self, rows: Int[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
        try:
            symbols = self._decoder.decode(rows)
        except UserError:
            self._bits_left = 0.0
            symbols = np.zeros(rows.shape, np.int32)  # all are after the end
        order = np.argsort(rows, kind="stable")
        order = order[np.searchsorted(rows[order], 0) :]
        spent = np.cumsum([self._bits(int(symbols[i]), int(rows[i])) for i in order])
        behind = spent > self._bits_left
        self._asked += len(order)
        self._read += len(order) - int(behind.sum())
        self._bits_left -= spent[-1] if len(spent) else 0.0
        symbols = symbols.copy()
        symbols[order[behind]] = self._likeliest[rows[order[behind]]]
        return symbols

    def _bits(self, symbol: int, row: int) -> float:
        distribution = self._distributions[row]
        entry = symbol - distribution.offset
        inside = 0 <= entry < distribution.size
        return distribution.bits[entry if inside else -1]
