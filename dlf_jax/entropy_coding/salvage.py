"""Reading a stream that lost its end, or may be wrong from some point on."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from dlf_jax.entropy_coding.symbol_coder import SymbolDecoder
from dlf_jax.entropy_coding.tables import Distribution
from dlf_jax.errors import UserError

# Any decoder reads ahead: the last symbols before the end depend on bits behind it.
_MARGIN_BITS = 16


class SalvagingDecoder:
    """A `SymbolDecoder` that gives the likeliest symbol behind the end of its stream.

    The position in the stream is the information of the symbols before it, which range
    coders spend to within a few bits.

    Args:
      decoder: of the stream, continued with zeros.
      distributions: those of the decoder.
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
        """Of the symbols asked for, those that the stream reached to, 0 to 1."""
        return self._read / self._asked if self._asked else 1.0

    def decode(self, rows: Int[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
        try:
            symbols = self._decoder.decode(rows)
        except UserError:
            self._bits_left = 0.0
            symbols = np.zeros(rows.shape, np.int32)  # all of them are behind
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
