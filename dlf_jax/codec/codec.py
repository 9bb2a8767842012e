"""Images to files and back with a loaded model."""

import contextlib
import dataclasses

import numpy as np
from jaxtyping import Float, Int, UInt8

from dlf_jax.checkpoints.store import LoadedModel
from dlf_jax.codec import spec
from dlf_jax.codec.container import Header, pack, unpack
from dlf_jax.codec.latent_coding import decode_latent, encode_latent
from dlf_jax.codec.network import CompiledNetwork
from dlf_jax.entropy_coding.coders import CODERS, coder_id
from dlf_jax.entropy_coding.salvage import SalvagingDecoder
from dlf_jax.entropy_coding.symbol_coder import SymbolDecoder
from dlf_jax.entropy_coding.tables import load_gaussian_tables
from dlf_jax.entropy_coding.token_tables import min_bits
from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS, Limits

Image = UInt8[np.ndarray, "H W 3"]


@dataclasses.dataclass(frozen=True)
class Code:
    """All that a file says about the content of an image.

    Attributes:
      tokens: semantic code indices, tiles in reading order.
      symbols: detail symbols of the four parts, in the order of the file.
      y_hat: the detail latent that they stand for.
    """

    tokens: Int[np.ndarray, "T K"]
    symbols: Int[np.ndarray, "4 M"]
    y_hat: Float[np.ndarray, "1 h w N"]


class _Layout:
    """What follows from the size of an image.

    Attributes:
      height, width: of the padded image.
      grid: (height, width) of the detail latent.
      tokens: shape of the semantic code, (tiles, tokens of a tile).
      min_payload: whole bytes of the least information of the tokens.  No payload is
        shorter, so that short files cannot claim large images where tokens cost bits;
        an encoder that gets by with less, by luck, appends zeros.
    """

    def __init__(self, model: LoadedModel, height: int, width: int, limits: Limits):
        config = model.config
        tile = config.tile_size
        down, across = -(-height // tile), -(-width // tile)
        self.height, self.width = down * tile, across * tile
        if not 0 < self.height * self.width <= limits.pixels:
            raise UserError(
                f"the image has {width} x {height} pixels; the limit is "
                f"{limits.pixels}, padding to multiples of {tile} included"
            )
        stride = config.detail_stride
        self.grid = self.height // stride, self.width // stride
        self.tokens = down * across, config.num_tokens
        tile_bits = min_bits(model.tokens, config.num_tokens)
        self.min_payload = down * across * tile_bits // 8


class Codec:
    """Compresses and decompresses 8-bit RGB images of any size.

    Args:
      model: as returned by `dlf_jax.checkpoints.store.load_model`.
      limits: larger images are refused, in and out.

    Attributes:
      network: its analysis and synthesis.
    """

    def __init__(self, model: LoadedModel, limits: Limits = DEFAULT_LIMITS):
        self.model = model
        self.limits = limits
        self.network = CompiledNetwork(model, limits.memory)
        gaussians = load_gaussian_tables().rows
        self._distributions = (*gaussians, *model.tokens)
        # Row of the tokens at each position of a tile.
        positions = np.arange(model.config.num_tokens) % len(model.tokens)
        self._token_rows = (len(gaussians) + positions).astype(np.int32)

    @property
    def model_id(self) -> bytes:
        """What files carry to name this model."""
        return self.model.fingerprint[: spec.MODEL_ID_BYTES]

    @property
    def num_rates(self) -> int:
        """Rate indices run from 0, the smallest files, to ``num_rates - 1``."""
        return self.model.config.num_rates

    @property
    def default_rate(self) -> int:
        """The middle of the rates."""
        return self.num_rates // 2

    def compress(
        self,
        images: np.ndarray | list[np.ndarray],
        rate: int | None = None,
        *,
        coder: str = "range",
    ) -> bytes | list[bytes]:
        """Files of images.

        Args:
          images: one image, uint8 (H, W, 3), or a list of them, of any sizes.  Each
            gives the same bytes alone as in a list.
          rate: rate index; `default_rate` if None.
          coder: name of an entropy coder, see `dlf_jax.entropy_coding.coders`; files of
            the default one can be read everywhere.

        Returns:
          The bytes of one file, or a list of them.

        Raises:
          UserError: an argument is not of the kind described, or the entropy coder is
            not installed.
        """
        if isinstance(images, list):
            return [self.compress(image, rate, coder=coder) for image in images]
        _check_image(images)
        rate = self.default_rate if rate is None else rate
        return self.encode(images, rate, coder=coder)[0]

    def decompress(self, data: bytes | list[bytes]) -> Image | list[Image]:
        """Images of files; the inverse of `compress` up to its loss.

        Raises:
          UserError: a file is damaged or was written with another model.
        """
        if isinstance(data, list):
            return [self.decompress(one) for one in data]
        header, layout, payload = self._read(data)
        return self._paint(header, layout, self._decoder(header, payload))

    def salvage(self, data: bytes) -> tuple[Image, float]:
        """The image of a file that may be damaged, as far as its bits go.

        Where they end, or are impossible, the rest is what the model expects.  Nothing
        tells whether a byte was changed: everything behind it may be wrong.

        Returns:
          (image, share of the symbols that were there to be read).

        Raises:
          UserError: the header is damaged, or the file was written with another model.
        """
        with contextlib.suppress(UserError):
            return self.decompress(data), 1.0
        header, layout, payload = self._read(data, damaged=True)
        decoder = SalvagingDecoder(
            self._decoder(header, payload), self._distributions, len(payload)
        )
        return self._paint(header, layout, decoder), decoder.share

    def encode(
        self, image: Image, rate: int, *, coder: str = "range"
    ) -> tuple[bytes, Code]:
        """The file of one image, and what a decoder will find in it."""
        number = coder_id(coder)
        encoder = CODERS[number].encoder(self._distributions)
        if not (isinstance(rate, int | np.integer) and 0 <= rate < self.num_rates):
            raise UserError(
                f"rate {rate} is not one of 0 to {self.num_rates - 1}, "
                f"the rates of {self.model.name}"
            )
        height, width, _ = image.shape
        header = Header(self.model_id, rate, width, height, number)
        layout = self._layout(height, width)
        below, right = layout.height - height, layout.width - width
        image = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
        tokens, y = self.network.analyze(image, rate)
        encoder.encode(np.ravel(tokens), np.tile(self._token_rows, len(tokens)))
        context = self.model.context.of_image(rate, layout.grid)
        symbols, y_hat = encode_latent(y, context, encoder)
        payload = encoder.finish().ljust(layout.min_payload, b"\0")
        return pack(header, payload), Code(tokens, symbols, y_hat)

    def decode(self, data: bytes) -> tuple[Header, Code]:
        """What is in a file, before it becomes an image."""
        header, layout, payload = self._read(data)
        return header, self._decode(header, layout, self._decoder(header, payload))

    def _decode(self, header: Header, layout: _Layout, decoder: SymbolDecoder) -> Code:
        tokens = decoder.decode(np.tile(self._token_rows, layout.tokens[0]))
        context = self.model.context.of_image(header.rate, layout.grid)
        symbols, y_hat = decode_latent(context, decoder)
        return Code(tokens.reshape(layout.tokens), symbols, y_hat)

    def _paint(self, header: Header, layout: _Layout, decoder: SymbolDecoder) -> Image:
        """Decodes while the synthesis is compiled, then runs it."""
        self.network.prepare_synthesis(layout.tokens, layout.grid)
        code = self._decode(header, layout, decoder)
        image = self.network.synthesize(code.tokens, code.y_hat, header.rate)
        return image[: header.height, : header.width]

    def _decoder(self, header: Header, payload: bytes) -> SymbolDecoder:
        return CODERS[header.coder].decoder(payload, self._distributions)

    def _layout(self, height: int, width: int) -> _Layout:
        return _Layout(self.model, height, width, self.limits)

    def _read(
        self, data: bytes, *, damaged: bool = False
    ) -> tuple[Header, _Layout, bytes]:
        """Header, layout and payload of a file that this model can decode."""
        header, payload = unpack(data, damaged=damaged)
        if header.model_id != self.model_id:
            raise UserError(
                f"the file was written with model {header.model_id.hex()}, not with "
                f"{self.model.name} ({self.model_id.hex()}): see `dlf models`"
            )
        if header.rate >= self.num_rates:
            raise UserError(f"the file is damaged: there is no rate {header.rate}")
        layout = self._layout(header.height, header.width)
        if len(payload) < layout.min_payload and not damaged:
            raise UserError("the file is damaged: it is too short for its image")
        return header, layout, payload


def _check_image(image: np.ndarray) -> None:
    dtype = getattr(image, "dtype", type(image).__name__)
    shape = getattr(image, "shape", ())
    if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3:
        raise UserError(
            f"images are uint8 arrays of shape (height, width, 3), not {dtype} {shape}"
        )
