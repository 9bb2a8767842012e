"""Images to files and back with a loaded model."""

import contextlib
import dataclasses

import numpy as np
from jaxtyping import Float, Int, UInt8

from dlf_jax.checkpoints.store import LoadedModel
from dlf_jax.codec.container import Header, ParsedFile, pack, parse
from dlf_jax.codec.format import MODEL_ID_BYTES
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
    """The coded content of an image.

    Attributes:
      tokens: semantic code indices, tiles in reading order.
      symbols: detail symbols of the four parts, in the order of the file.
      y_hat: the decoded detail latent.
    """

    tokens: Int[np.ndarray, "T K"]
    symbols: Int[np.ndarray, "4 M"]
    y_hat: Float[np.ndarray, "1 h w N"]


class _Layout:
    """Sizes of the padded image, its latent and its tokens.

    Attributes:
      height, width: of the padded image, in pixels.
      grid: (height, width) of the detail latent, in cells.
      tokens: shape of the semantic code, (tiles, tokens of a tile).
      min_payload: least payload, in bytes: the fewest bits that the tokens can take.
        The encoder pads shorter payloads with zeros, so that a short file cannot claim
        a large image.
    """

    def __init__(self, model: LoadedModel, height: int, width: int, limits: Limits):
        config = model.config
        tile = config.tile_size
        down, across = -(-height // tile), -(-width // tile)
        self.height, self.width = down * tile, across * tile
        if not 0 < self.height * self.width <= limits.pixels:
            raise UserError(
                f"the image has {width} x {height} pixels; the limit is "
                f"{limits.pixels}, padding to multiples of {tile} included: use a "
                "smaller image or a higher limit (--max-megapixels, Limits.pixels)"
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
      limits: larger images are rejected by both directions.

    Attributes:
      network: compiled analysis and synthesis.
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
        """The start of the model's fingerprint, which its files carry."""
        return self.model.fingerprint[:MODEL_ID_BYTES]

    @property
    def num_rates(self) -> int:
        """Number of rate points; rate 0 gives the smallest files."""
        return self.model.config.num_rates

    @property
    def default_rate(self) -> int:
        """The middle rate index."""
        return self.num_rates // 2

    def compress(
        self,
        images: np.ndarray | list[np.ndarray],
        rate: int | None = None,
        *,
        coder: str = "range",
    ) -> bytes | list[bytes]:
        """Compresses one image or a list of images.

        Args:
          images: one image, uint8 (H, W, 3), or a list of them, of any sizes.  Each
            gives the same bytes alone as in a list.
          rate: rate index; `default_rate` if None.
          coder: name of an entropy coder, see `dlf_jax.entropy_coding.coders`; every
            installation reads files of the default coder.

        Returns:
          The bytes of one file, or a list of them.

        Raises:
          UserError: an argument has the wrong type or value, or the entropy coder is
            not installed.
        """
        if isinstance(images, list):
            return [self.compress(image, rate, coder=coder) for image in images]
        _check_image(images)
        rate = self.default_rate if rate is None else rate
        return self.encode(images, rate, coder=coder)[0]

    def decompress(self, data: bytes | list[bytes]) -> Image | list[Image]:
        """Decompresses one file or a list of files.

        Raises:
          UserError: a file is damaged or was written with another model.
        """
        if isinstance(data, list):
            return [self.decompress(one) for one in data]
        return self.reconstruct(parse(data))

    def reconstruct(self, file: ParsedFile) -> Image:
        """The image of a parsed file.

        Raises:
          UserError: the file is damaged or was written with another model.
        """
        layout = self._layout_of(file)
        return self._synthesize(file.header, layout, self._decoder(file))

    def salvage(self, file: ParsedFile) -> tuple[Image, float]:
        """The image of a file that may be damaged, as far as its bits reach.

        Symbols after the end of the stream, or after impossible bits, take the value
        that the model considers likeliest.  A changed byte cannot be located: all
        symbols after that byte may be wrong.

        Returns:
          (image, fraction of the symbols that were read from the stream).

        Raises:
          UserError: the file was written with another model or another rate, or its
            image is too large.
        """
        if file.intact:
            with contextlib.suppress(UserError):
                return self.reconstruct(file), 1.0
        layout = self._layout_of(file, damaged=True)
        decoder = SalvagingDecoder(
            self._decoder(file), self._distributions, len(file.payload)
        )
        return self._synthesize(file.header, layout, decoder), decoder.share

    def encode(
        self, image: Image, rate: int, *, coder: str = "range"
    ) -> tuple[bytes, Code]:
        """Encodes one image; returns the file and the content that it decodes to."""
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
        """Decodes a file up to the latents; `decompress` also synthesizes the image."""
        file = parse(data)
        layout = self._layout_of(file)
        return file.header, self._decode(file.header, layout, self._decoder(file))

    def _decode(self, header: Header, layout: _Layout, decoder: SymbolDecoder) -> Code:
        tokens = decoder.decode(np.tile(self._token_rows, layout.tokens[0]))
        context = self.model.context.of_image(header.rate, layout.grid)
        symbols, y_hat = decode_latent(context, decoder)
        return Code(tokens.reshape(layout.tokens), symbols, y_hat)

    def _synthesize(
        self, header: Header, layout: _Layout, decoder: SymbolDecoder
    ) -> Image:
        """Decodes while the synthesis is being compiled, then runs the synthesis."""
        self.network.prepare_synthesis(layout.tokens, layout.grid)
        code = self._decode(header, layout, decoder)
        image = self.network.synthesize(code.tokens, code.y_hat, header.rate)
        return image[: header.height, : header.width]

    def _decoder(self, file: ParsedFile) -> SymbolDecoder:
        return CODERS[file.header.coder].decoder(file.payload, self._distributions)

    def _layout(self, height: int, width: int) -> _Layout:
        return _Layout(self.model, height, width, self.limits)

    def _layout_of(self, file: ParsedFile, *, damaged: bool = False) -> _Layout:
        """The layout of a file, once this model is known to decode it."""
        header = file.header
        if header.model_id != self.model_id:
            raise UserError(
                f"the file was written with model {header.model_id.hex()}, not with "
                f"{self.model.name} ({self.model_id.hex()}): see `dlf models`"
            )
        if header.rate >= self.num_rates:
            raise UserError(
                f"the file is damaged: there is no rate {header.rate}; copy it again"
            )
        layout = self._layout(header.height, header.width)
        if len(file.payload) < layout.min_payload and not damaged:
            raise UserError(
                "the file is damaged: it is too short for its image; copy it again"
            )
        return layout


def _check_image(image: np.ndarray) -> None:
    dtype = getattr(image, "dtype", type(image).__name__)
    shape = getattr(image, "shape", ())
    if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3:
        raise UserError(
            f"images are uint8 arrays of shape (height, width, 3), not {dtype} {shape}"
        )
