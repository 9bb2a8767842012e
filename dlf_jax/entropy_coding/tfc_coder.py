"""The range coder of TensorFlow Compression, an optional dependency.

The distributions are those of the default coder, the stream format is tfc's: 16-bit
probabilities, escaped values in Elias gamma code where they occur, symbols in array
order.  Only this module imports TensorFlow, which takes seconds and gigabytes.

Reference: Ballé, Hwang, Agustsson, "TensorFlow Compression: Learned Data Compression",
http://github.com/tensorflow/compression, `entropy_encode_index`.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_compression_ops as tfc
from jaxtyping import Int

from dlf_jax.entropy_coding.symbol_coder import MAX_SYMBOL, check_symbols
from dlf_jax.entropy_coding.tables import TOTAL, Distribution, Supports
from dlf_jax.errors import UserError

_PRECISION = TOTAL.bit_length() - 1


class Encoder:
    """`SymbolEncoder` on tfc's range encoder."""

    def __init__(self, distributions: Sequence[Distribution]):
        self._supports = Supports(distributions)
        with tf.device("/CPU:0"):
            self._handle = tfc.create_range_encoder([], _lookup(distributions))

    def encode(self, symbols: Int[np.ndarray, "N"], rows: Int[np.ndarray, "N"]) -> None:
        check_symbols(symbols, rows)
        coded = rows >= 0
        symbols, rows = symbols[coded], rows[coded]
        self._supports.intervals(symbols, rows)  # checks
        values = symbols - self._supports.offsets[rows]
        with tf.device("/CPU:0"):
            self._handle = tfc.entropy_encode_index(
                self._handle, rows.astype(np.int32), values.astype(np.int32)
            )

    def finish(self) -> bytes:
        with tf.device("/CPU:0"):
            return tfc.entropy_encode_finalize(self._handle).numpy()


class Decoder:
    """`SymbolDecoder` on tfc's range decoder."""

    def __init__(self, data: bytes, distributions: Sequence[Distribution]):
        self._supports = Supports(distributions)
        with tf.device("/CPU:0"):
            self._data = tf.constant(data)  # the handle refers to this tensor
            self._handle = tfc.create_range_decoder(self._data, _lookup(distributions))

    def decode(self, rows: Int[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
        symbols = np.zeros(rows.shape, np.int32)
        coded = rows >= 0
        rows = rows[coded].astype(np.int32)
        try:
            with tf.device("/CPU:0"):
                self._handle, values = tfc.entropy_decode_index(
                    self._handle, rows, rows.shape, tf.int32
                )
        except tf.errors.OpError as error:
            raise UserError(
                "the file is damaged: its coded data is invalid; copy it again"
            ) from error
        symbols[coded] = values.numpy() + self._supports.offsets[rows]
        if symbols.size and np.abs(symbols).max() > MAX_SYMBOL:
            raise UserError(
                "the file is damaged: its coded data is invalid; copy it again"
            )
        return symbols


def _lookup(distributions: Sequence[Distribution]) -> Int[np.ndarray, "N"]:
    """Precision (negative for a row with an escape) and counts of every row."""
    parts = []
    for distribution in distributions:
        sign = -1 if distribution.escape else 1
        parts += [[sign * _PRECISION], distribution.cdf]
    return np.concatenate(parts).astype(np.int32)
