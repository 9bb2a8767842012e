"""The detail latent to symbols and back: four steps between network and entropy coder.

One driver serves both sides, so that they cannot drift apart: it asks the context model
for the scales and means of a part, turns scales into table rows, and leaves to the
caller where the symbols come from.  Everything here is float32 NumPy on the host.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from dlf_jax.entropy_coding.partition import fold, part_masks, unfold
from dlf_jax.entropy_coding.symbol_coder import MAX_SYMBOL, SymbolDecoder, SymbolEncoder
from dlf_jax.entropy_coding.tables import scale_to_index


@runtime_checkable
class ContextModel(Protocol):
    """Predicts the latent of one image, part by part.

    Attributes:
      quant_step: width of a quantisation step at every position.
      skip_threshold: symbols with a smaller scale are not coded.
    """

    quant_step: Float[np.ndarray, "1 h w N"]
    skip_threshold: float

    def step(
        self, part: int, decoded: Float[np.ndarray, "1 h w N"]
    ) -> tuple[Float[np.ndarray, "1 h w N"], Float[np.ndarray, "1 h w N"]]:
        """Scales and means of a part, zero outside it, given all earlier parts."""


def encode_latent(
    y: Float[np.ndarray, "1 h w N"], context: ContextModel, encoder: SymbolEncoder
) -> tuple[Int[np.ndarray, "4 M"], Float[np.ndarray, "1 h w N"]]:
    """Quantises and codes a latent.

    Returns:
      (symbols of the four parts in the order of the file, latent as decoded).
    """
    scaled = y / context.quant_step

    def quantize(mask, means, indexes):
        residuals = np.round(fold((scaled - means) * mask))
        symbols = np.clip(_in_file_order(residuals), -MAX_SYMBOL, MAX_SYMBOL)
        symbols = np.where(indexes < 0, 0, symbols).astype(np.int32)
        encoder.encode(symbols, indexes)
        return symbols

    return _four_steps(context, quantize)


def decode_latent(
    context: ContextModel, decoder: SymbolDecoder
) -> tuple[Int[np.ndarray, "4 M"], Float[np.ndarray, "1 h w N"]]:
    """Reads the symbols that `encode_latent` wrote; returns the same as it."""
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
    """
    shape = context.quant_step.shape
    decoded = np.zeros(shape, np.float32)
    all_symbols = []
    for part, mask in enumerate(part_masks(*shape[1:])):
        scales, means = context.step(part, decoded)
        indexes = scale_to_index(_in_file_order(fold(scales)), context.skip_threshold)
        symbols = code(mask, means, indexes)
        values = unfold(_on_grid(symbols, shape), mask)
        decoded = decoded + values + means
        all_symbols.append(symbols)
    return np.stack(all_symbols), decoded * context.quant_step


def _in_file_order(x: Float[np.ndarray, "1 h w M"]) -> Float[np.ndarray, "V"]:
    """Channel-major: all cells of the first channel in reading order, and so on."""
    return np.ravel(np.transpose(x, (0, 3, 1, 2)))


def _on_grid(
    symbols: Int[np.ndarray, "V"], shape: tuple[int, ...]
) -> Float[np.ndarray, "1 h w M"]:
    """Inverse of `_in_file_order`, for the shape of the whole latent."""
    _, height, width, channels = shape
    x = symbols.reshape(1, channels // 4, height, width).astype(np.float32)
    return np.transpose(x, (0, 2, 3, 1))
