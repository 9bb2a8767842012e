"""Bits and image of each branch of a file: semantic tokens and details.

A branch left out of an image has the likeliest value of every symbol: the most frequent
token of each position, or the means that the context model predicts for the details.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int, UInt8

from dlf_jax.codec.codec import Codec
from dlf_jax.codec.latent_coding import decode_latent
from dlf_jax.entropy_coding.range_coder import information
from dlf_jax.entropy_coding.tables import load_gaussian_tables
from dlf_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class BitMaps:
    """Bits of a file by branch and place, without header and checksum.

    Both maps cover the image, padded below and on the right to whole tiles.

    Attributes:
      tokens: bits of each tile in the semantic branch.
      details: bits of each cell in the detail branch.
      tile, cell: side of a tile and of a cell, in pixels.
    """

    tokens: Float[np.ndarray, "I J"]
    details: Float[np.ndarray, "h w"]
    tile: int
    cell: int


def bit_maps(codec: Codec, data: bytes) -> BitMaps:
    """The bits that every part of the image costs in each branch.

    Args:
      codec: codec of the model that wrote the file.
      data: bytes of the file.

    Raises:
      UserError: the file is damaged or was written with another model.
    """
    header, code = codec.decode(data)
    config, rows = codec.model.config, codec.model.tokens
    height, width = code.y_hat.shape[1:3]
    cells = config.tile_size // config.detail_stride

    columns = enumerate(code.tokens.T)
    tokens = sum(rows[i % len(rows)].bits[column] for i, column in columns)

    known = _Known(code.symbols)
    decode_latent(codec.model.context.of_image(header.rate, (height, width)), known)
    gaussians = load_gaussian_tables().rows
    details = [
        information(symbols, of_part, gaussians).reshape(-1, height, width).sum(axis=0)
        for symbols, of_part in zip(code.symbols, known.rows, strict=True)
    ]
    return BitMaps(
        tokens=tokens.reshape(height // cells, width // cells),
        details=sum(details),
        tile=config.tile_size,
        cell=config.detail_stride,
    )


def decode_branch(codec: Codec, data: bytes, branch: str) -> UInt8[np.ndarray, "H W 3"]:
    """The image of one branch of a file, without the content of the other branch.

    Args:
      codec: codec of the model that wrote the file.
      data: bytes of the file.
      branch: "tokens" or "details".

    Returns:
      The image in RGB.

    Raises:
      UserError: there is no such branch, the file is damaged, or it was written with
        another model.
    """
    header, code = codec.decode(data)
    tokens, y_hat = code.tokens, code.y_hat
    if branch == "tokens":
        context = codec.model.context.of_image(header.rate, y_hat.shape[1:3])
        _, y_hat = decode_latent(context, _Known(np.zeros_like(code.symbols)))
    elif branch == "details":
        likeliest = [row.likeliest for row in codec.model.tokens]
        tokens = np.resize(np.int32(likeliest), tokens.shape)
    else:
        raise UserError(f"there is no branch {branch!r}: use 'tokens' or 'details'")
    image = codec.network.synthesize(tokens, y_hat, header.rate)
    return image[: header.height, : header.width]


class _Known:
    """`SymbolDecoder` of known detail symbols, one part after the other.

    Attributes:
      rows: the rows that were asked for, of each part.
    """

    def __init__(self, parts: Int[np.ndarray, "4 M"]):
        self._parts = iter(parts)
        self.rows: list[np.ndarray] = []

    def decode(self, rows: Int[np.ndarray, "M"]) -> Int[np.ndarray, "M"]:
        self.rows.append(rows)
        return next(self._parts)
