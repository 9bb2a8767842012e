"""Reading a stream that lost its end, or may be wrong from some point on."""

import functools

import numpy as np
from jaxtyping import Float, Int

from dlf_jax.coding.symbol_coder import SymbolDecoder
from dlf_jax.coding.tables import load_gaussian_tables
from dlf_jax.errors import UserError

# Any decoder reads ahead: the last symbols before the end depend on bits behind it.
_MARGIN_BITS = 16


class SalvagingDecoder:
    """A `SymbolDecoder` that gives 0 for what lies behind the end of its stream.

    The position in the stream is the information of the symbols before it, which range
    coders spend to within a few bits.

    Args:
      decoder: of the stream, continued with zeros.
      num_bytes: length of the stream.
    """

    def __init__(self, decoder: SymbolDecoder, num_bytes: int):
        self._decoder = decoder
        self._bits_left = 8 * num_bytes - _MARGIN_BITS
        self._read = self._asked = 0

    @property
    def share(self) -> float:
        """Of the symbols asked for, those that the stream reached to, 0 to 1."""
        return self._read / self._asked if self._asked else 1.0

    def decode_uniform(self, count: int, size: int) -> Int[np.ndarray, "N"]:
        symbols = self._try(self._decoder.decode_uniform, count, size)
        return self._keep(symbols, np.arange(count), np.full(count, np.log2(size)))

    def decode_indexed(self, indexes: Int[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
        symbols = self._try(self._decoder.decode_indexed, indexes)
        order = np.argsort(indexes, kind="stable")
        order = order[np.searchsorted(indexes[order], 0) :]
        rows = indexes[order]
        tables = load_gaussian_tables()
        escape = tables.cdf_length[rows] - 2
        entries = symbols[order] - tables.offset[rows]
        entries = np.where((entries < 0) | (entries > escape), escape, entries)
        return self._keep(symbols, order, _table_bits()[rows, entries])

    def _try(self, decode, *args) -> Int[np.ndarray, "N"]:
        try:
            return decode(*args)
        except UserError:
            self._bits_left = 0
            count = args[0] if np.isscalar(args[0]) else len(args[0])
            return np.zeros(count, np.int32)

    def _keep(
        self,
        symbols: Int[np.ndarray, "N"],
        order: Int[np.ndarray, "M"],
        bits: Float[np.ndarray, "M"],
    ) -> Int[np.ndarray, "N"]:
        """Clears the symbols that, read in `order`, lie behind the end."""
        spent = np.cumsum(bits)
        behind = spent > self._bits_left
        self._asked += len(order)
        self._read += len(order) - int(behind.sum())
        self._bits_left -= spent[-1] if len(spent) else 0
        symbols = symbols.copy()
        symbols[order[behind]] = 0
        return symbols


@functools.cache
def _table_bits() -> Float[np.ndarray, "rows entries"]:
    """Information of every table entry, in bits."""
    tables = load_gaussian_tables()
    bits = np.zeros((len(tables.cdf_length), int(tables.cdf_length.max()) - 1))
    for row, length in enumerate(tables.cdf_length):
        bits[row, : length - 1] = 16 - np.log2(tables.frequencies(row))
    return bits
