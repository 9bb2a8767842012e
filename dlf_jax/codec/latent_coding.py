"""Detail latent to symbols and back: four steps between network and entropy coder.

One driver serves encoder and decoder, so that the two cannot drift apart.  For each
part the context model predicts scales and means, the scales select table rows, and a
callback encodes or decodes the symbols.  The loop computes in the fixed-point numbers
of `entropy_coding.fixed_point`; only the latent itself is float32.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from dlf_jax.entropy_coding.fixed_point import ONE
from dlf_jax.entropy_coding.partition import fold, part_masks, unfold
from dlf_jax.entropy_coding.symbol_coder import MAX_SYMBOL, SymbolDecoder, SymbolEncoder
from dlf_jax.entropy_coding.tables import scale_to_index


@runtime_checkable
class ContextModel(Protocol):
    """Predicts the latent of one image, part by part.

    Attributes:
      quant_step: width of a quantisation step at every position, float32.
      skip_threshold: symbols with a smaller scale are not coded.
    """

    quant_step: Float[np.ndarray, "h w N"]
    skip_threshold: float

    def step(
        self, part: int, decoded: Float[np.ndarray, "h w N"]
    ) -> tuple[Float[np.ndarray, "h w N"], Float[np.ndarray, "h w N"]]:
        """Scales and means of a part, zero outside it, given all earlier parts.

        Arguments and results are fixed-point numbers.
        """


def encode_latent(
    y: Float[np.ndarray, "1 h w N"], context: ContextModel, encoder: SymbolEncoder
) -> tuple[Int[np.ndarray, "4 M"], Float[np.ndarray, "1 h w N"]]:
    """Quantises and codes a latent.

    Returns:
      (symbols of the four parts in the order of the file, latent as decoded).
    """
    (scaled,) = y / context.quant_step

    def quantize(mask, means, indexes):
        means = (means / ONE).astype(np.float32)
        residuals = np.round(fold((scaled - means) * mask))
        symbols = np.clip(_in_file_order(residuals), -MAX_SYMBOL, MAX_SYMBOL)
        symbols = np.where(indexes < 0, 0, symbols).astype(np.int32)
        encoder.encode(symbols, indexes)
        return symbols

    return _four_steps(context, quantize)


def decode_latent(
    context: ContextModel, decoder: SymbolDecoder
) -> tuple[Int[np.ndarray, "4 M"], Float[np.ndarray, "1 h w N"]]:
    """Reads the symbols that `encode_latent` wrote; returns the same pair."""
    return _four_steps(context, lambda mask, means, indexes: decoder.decode(indexes))


def _four_steps(
    context: ContextModel,
    code: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Runs the parts in order (docs/architecture.md#coding-steps).

    Args:
      context: the context model.
      code: maps (mask of a part, means, indexes in file order) to symbols in file
        order.

    Returns:
      (symbols of the four parts in file order, latent as decoded).
    """
    shape = context.quant_step.shape
    decoded = np.zeros(shape)
    all_symbols = []
    for part, mask in enumerate(part_masks(*shape)):
        scales, means = context.step(part, decoded)
        scales = _in_file_order(fold(scales)) / ONE
        symbols = code(mask, means, scale_to_index(scales, context.skip_threshold))
        values = unfold(_on_grid(symbols, shape), mask)
        decoded = decoded + ONE * values + means
        all_symbols.append(symbols)
    y_hat = (decoded / ONE).astype(np.float32) * context.quant_step
    return np.stack(all_symbols), y_hat[None]


def _in_file_order(x: Float[np.ndarray, "h w M"]) -> Float[np.ndarray, "V"]:
    """Channel-major: all cells of the first channel in reading order, and so on."""
    return np.ravel(np.transpose(x, (2, 0, 1)))


def _on_grid(
    symbols: Int[np.ndarray, "V"], shape: tuple[int, ...]
) -> Int[np.ndarray, "h w M"]:
    """Inverse of `_in_file_order`, for the shape of the whole latent."""
    height, width, channels = shape
    return np.transpose(symbols.reshape(channels // 4, height, width), (1, 2, 0))
