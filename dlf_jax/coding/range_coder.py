"""The default entropy coder: the range coder of the constriction library.

Probabilities are integers out of 2^24.  A table count f out of 65536 becomes 256 f, a
uniform symbol 2^24 // size with the remainder on the last one, so the bytes depend on
integers alone.  In exact arithmetic: an interval [low, low + range) starts as
[0, 2^64 - 1); coding a symbol with cumulative count c and frequency f sets
low += (range >> 24) c and range = (range >> 24) f; whenever range < 2^32, both are
shifted left by 32 bits.  The stream is the shortest big-endian byte string that lies in
the final interval when zeros are appended.
"""

import functools
from collections.abc import Iterator

import constriction
import numpy as np
from jaxtyping import Int

from dlf_jax.coding.symbol_coder import MAX_SYMBOL
from dlf_jax.coding.tables import load_gaussian_tables
from dlf_jax.errors import UserError

_WORD = 4  # bytes in a word of the library
_WINDOW = 2 * _WORD  # bytes of its interval
# An escaped value v >= 1 is coded as its number of bits after the leading one, uniform
# in [0, _ESCAPE_SIZES), and then those bits.
_ESCAPE_SIZES = 16


class RangeSymbolEncoder:
    """`SymbolEncoder` on constriction's range encoder."""

    def __init__(self):
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode_uniform(self, symbols: Int[np.ndarray, "N"], size: int) -> None:
        if symbols.size and not 0 <= symbols.min() <= symbols.max() < size:
            raise ValueError(f"symbols outside [0, {size})")
        self._coder.encode(_int32(symbols), _uniform_model(size))

    def encode_indexed(
        self, symbols: Int[np.ndarray, "N"], indexes: Int[np.ndarray, "N"]
    ) -> None:
        if symbols.size and np.abs(symbols).max() > MAX_SYMBOL:
            raise ValueError(f"symbols beyond ±{MAX_SYMBOL}")
        if np.any(symbols[indexes < 0]):
            raise ValueError("a symbol that is not coded must be 0")
        tables = load_gaussian_tables()
        escaped = []
        for row, where in _by_row(indexes):
            entries = symbols[where] - tables.offset[row]
            top = tables.cdf_length[row] - 2
            outside = (entries < 0) | (entries >= top)
            self._coder.encode(_int32(np.where(outside, top, entries)), _row_model(row))
            entries = entries[outside]
            # Below the support 2, 4, 6... and above it 1, 3, 5..., nearest first.
            escaped.append(np.where(entries < 0, -2 * entries, 2 * (entries - top) + 1))
        if escaped and (values := np.concatenate(escaped)).size:
            self._encode_escapes(values)

    def _encode_escapes(self, values: Int[np.ndarray, "N"]) -> None:
        bits = np.array([int(v).bit_length() - 1 for v in values], np.int32)
        self.encode_uniform(bits, _ESCAPE_SIZES)
        sizes = _int32(1 << bits)
        long = bits > 0
        self._coder.encode(
            _int32(values - sizes)[long],
            constriction.stream.model.Uniform(),
            sizes[long],
        )

    def finish(self) -> bytes:
        position, (start, width) = self._coder.pos()
        length = position * _WORD + _WINDOW
        # The library's own ending is some point of the final interval, which starts
        # at `start` modulo 2^64: together they place it.
        ending = self._coder.get_compressed().astype(">u4").tobytes()
        point = int.from_bytes(ending.ljust(length, b"\0"), "big")
        low = point - (point - start) % (1 << 8 * _WINDOW)
        return _shortest(low, low + width, length)


class RangeSymbolDecoder:
    """`SymbolDecoder` on constriction's range decoder."""

    def __init__(self, data: bytes):
        padding = bytes(-len(data) % _WORD + _WINDOW)
        words = np.frombuffer(data + padding, ">u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def decode_uniform(self, count: int, size: int) -> Int[np.ndarray, "N"]:
        return self._decode(_uniform_model(size), count)

    def decode_indexed(self, indexes: Int[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
        tables = load_gaussian_tables()
        symbols = np.zeros(indexes.shape, np.int32)
        escaped = []
        for row, where in _by_row(indexes):
            entries = self._decode(_row_model(row), len(where))
            symbols[where] = entries + tables.offset[row]
            escaped.append(where[entries == tables.cdf_length[row] - 2])
        if escaped and (where := np.concatenate(escaped)).size:
            values = self._decode_escapes(len(where))
            rows = indexes[where]
            # `symbols` holds the first value above the support here.
            above = symbols[where] + (values - 1) // 2
            below = tables.offset[rows] - values // 2
            symbols[where] = np.where(values % 2, above, below)
        return symbols

    def _decode_escapes(self, count: int) -> Int[np.ndarray, "N"]:
        sizes = _int32(1 << self.decode_uniform(count, _ESCAPE_SIZES))
        values = sizes.copy()
        long = sizes > 1
        values[long] += self._decode(constriction.stream.model.Uniform(), sizes[long])
        return values

    def _decode(self, model, amount) -> Int[np.ndarray, "N"]:
        try:
            return self._coder.decode(model, amount)
        except AssertionError as error:  # how the library reports impossible data
            raise UserError("the file is damaged: its coded data is invalid") from error


def _by_row(
    indexes: Int[np.ndarray, "N"],
) -> Iterator[tuple[int, Int[np.ndarray, "M"]]]:
    """Yields each used row, ascending, with the positions that use it, ascending."""
    order = np.argsort(indexes, kind="stable")
    order = order[np.searchsorted(indexes[order], 0) :]
    rows, starts = np.unique(indexes[order], return_index=True)
    ends = np.append(starts, len(order))[1:]
    for row, start, end in zip(rows, starts, ends, strict=True):
        yield int(row), order[start:end]


def _shortest(low: int, high: int, length: int) -> bytes:
    """The shortest bytes that, as the head of `length` bytes, lie in [low, high)."""
    head, kept = low, length
    while kept:
        shorter = -(-head // 256)  # rounded up
        if shorter << 8 * (length - kept + 1) >= high:
            break
        head, kept = shorter, kept - 1
    return head.to_bytes(kept, "big")


@functools.cache
def _row_model(row: int) -> constriction.stream.model.Model:
    # The library gives every symbol one count and shares the rest in proportion:
    # 256 f - 1 leaves exactly 256 f, with nothing to round.
    frequencies = load_gaussian_tables().frequencies(row)
    return constriction.stream.model.Categorical(256.0 * frequencies - 1, perfect=False)


@functools.cache
def _uniform_model(size: int) -> constriction.stream.model.Model:
    return constriction.stream.model.Uniform(size)


def _int32(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.int32)
