"""The default entropy coder: the range coder of the constriction library.

Probabilities are integers out of 2^24.  A count f out of 65536 becomes 256 f, one of n
equally likely values 2^24 // n with the remainder on the last one, so the bytes depend
on integers alone.  In exact arithmetic: an interval [low, low + range) starts as
[0, 2^64 - 1); coding a symbol with cumulative count c and frequency f sets
low += (range >> 24) c and range = (range >> 24) f; whenever range < 2^32, both are
shifted left by 32 bits.  The stream is the shortest big-endian byte string that lies in
the final interval when zeros are appended.

Within one `encode` call symbols are coded by ascending row, in array order within a row
(so that the library codes a whole row at once), and after all rows the values of the
escaped symbols follow in that same order.
"""

import functools
from collections.abc import Iterator, Sequence

import constriction
import numpy as np
from jaxtyping import Int

from dlf_jax.entropy_coding.symbol_coder import check_symbols
from dlf_jax.entropy_coding.tables import Distribution, Supports
from dlf_jax.errors import UserError

_WORD = 4  # bytes in a word of the library
_WINDOW = 2 * _WORD  # bytes of its interval
# An escaped value v >= 1 is coded as the number of bits after its leading one, uniform
# in [0, _ESCAPE_SIZES), followed by these bits.
_ESCAPE_SIZES = 16


class Encoder:
    """`SymbolEncoder` on constriction's range encoder."""

    def __init__(self, distributions: Sequence[Distribution]):
        self._distributions = distributions
        self._supports = Supports(distributions)
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, symbols: Int[np.ndarray, "N"], rows: Int[np.ndarray, "N"]) -> None:
        check_symbols(symbols, rows)
        order = _coding_order(rows)
        symbols, rows = symbols[order], rows[order]
        intervals = _int32(self._supports.intervals(symbols, rows))
        for row, span in _spans(rows):
            self._coder.encode(intervals[span], _model(self._distributions[row]))
        escaped = self._supports.escaped(intervals, rows)
        if escaped.any():
            rows = rows[escaped]
            entries = symbols[escaped] - self._supports.offsets[rows]
            # Below the support 2, 4, 6... and above it 1, 3, 5..., nearest first.
            above = 2 * (entries - self._supports.sizes[rows]) + 1
            self._encode_escapes(np.where(entries < 0, -2 * entries, above))

    def _encode_escapes(self, values: Int[np.ndarray, "N"]) -> None:
        bits = np.array([int(v).bit_length() - 1 for v in values], np.int32)
        self._coder.encode(bits, _uniform_model(_ESCAPE_SIZES))
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


class Decoder:
    """`SymbolDecoder` on constriction's range decoder."""

    def __init__(self, data: bytes, distributions: Sequence[Distribution]):
        self._distributions = distributions
        self._supports = Supports(distributions)
        padding = bytes(-len(data) % _WORD + _WINDOW)
        words = np.frombuffer(data + padding, ">u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def decode(self, rows: Int[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
        decoded = np.zeros(rows.shape, np.int32)
        order = _coding_order(rows)
        rows = rows[order]
        intervals = np.empty(rows.shape, np.int32)
        for row, span in _spans(rows):
            model = _model(self._distributions[row])
            intervals[span] = self._decode(model, span.stop - span.start)
        symbols = intervals + self._supports.offsets[rows]
        escaped = self._supports.escaped(intervals, rows)
        if escaped.any():
            values = self._decode_escapes(int(escaped.sum()))
            # `symbols` holds the first value above the support here.
            above = symbols[escaped] + (values - 1) // 2
            below = self._supports.offsets[rows[escaped]] - values // 2
            symbols[escaped] = np.where(values % 2, above, below)
        decoded[order] = symbols
        return decoded

    def _decode_escapes(self, count: int) -> Int[np.ndarray, "N"]:
        sizes = _int32(1 << self._decode(_uniform_model(_ESCAPE_SIZES), count))
        values = sizes.copy()
        long = sizes > 1
        values[long] += self._decode(constriction.stream.model.Uniform(), sizes[long])
        return values

    def _decode(self, model, amount) -> Int[np.ndarray, "N"]:
        try:
            return self._coder.decode(model, amount)
        except AssertionError as error:  # the library's report of impossible data
            raise UserError(
                "the file is damaged: its coded data is invalid; copy it again"
            ) from error


def _coding_order(rows: Int[np.ndarray, "N"]) -> Int[np.ndarray, "M"]:
    """Positions of the coded symbols by ascending row, in array order within a row."""
    order = np.argsort(rows, kind="stable")
    return order[np.searchsorted(rows[order], 0) :]


def _spans(rows: Int[np.ndarray, "M"]) -> Iterator[tuple[int, slice]]:
    """Yields each of the ascending rows with its slice."""
    used, starts = np.unique(rows, return_index=True)
    ends = np.append(starts, len(rows))[1:]
    for row, start, end in zip(used, starts, ends, strict=True):
        yield int(row), slice(int(start), int(end))


def _shortest(low: int, high: int, length: int) -> bytes:
    """The shortest bytes that, as the head of `length` bytes, lie in [low, high)."""
    head, kept = low, length
    while kept:
        shorter = -(-head // 256)  # rounded up
        if shorter << 8 * (length - kept + 1) >= high:
            break
        head, kept = shorter, kept - 1
    return head.to_bytes(kept, "big")


@functools.lru_cache(maxsize=4096)
def _model(distribution: Distribution) -> constriction.stream.model.Model:
    # The library gives every symbol one count and shares the rest in proportion:
    # 256 f - 1 leaves exactly 256 f, with nothing to round.
    weights = 256.0 * distribution.frequencies - 1
    return constriction.stream.model.Categorical(weights, perfect=False)


@functools.cache
def _uniform_model(size: int) -> constriction.stream.model.Model:
    return constriction.stream.model.Uniform(size)


def _int32(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.int32)
