"""Images to files and back with a loaded model."""

import contextlib
from typing import Any

import numpy as np

from dlf_jax.checkpoints.store import LoadedModel
from dlf_jax.codec.container import Header, ParsedFile, pack, parse
from dlf_jax.codec.encoded import Code, Encoded, Image
from dlf_jax.codec.format import MODEL_ID_BYTES
from dlf_jax.codec.goal import Goal
from dlf_jax.codec.latent_coding import decode_latent, encode_latent
from dlf_jax.codec.layout import Layout
from dlf_jax.codec.network import Analysis, CompiledNetwork
from dlf_jax.codec.search import search
from dlf_jax.entropy_coding.coders import CODERS, coder_id
from dlf_jax.entropy_coding.rates import Number, all_rates, nearest_rate
from dlf_jax.entropy_coding.salvage import SalvagingDecoder
from dlf_jax.entropy_coding.symbol_coder import SymbolDecoder
from dlf_jax.entropy_coding.tables import load_gaussian_tables
from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS, Limits


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

    def rate_of(self, goal: Goal) -> Number:
        """The rate of a goal without a target.

        Raises:
          UserError: the model does not have the rate.
        """
        rate = self.default_rate if goal.rate is None else goal.rate
        return nearest_rate(rate, self.num_rates)

    def compress(
        self,
        images: np.ndarray | list[np.ndarray],
        rate: Number | None = None,
        *,
        coder: str = "range",
        raw: bool = False,
        **targets: Number | None,
    ) -> bytes | list[bytes]:
        """Compresses one image or a list of images.

        Args:
          images: one image, uint8 (H, W, 3), or a list of them, of any sizes.  Each
            gives the same bytes alone as in a list.
          rate: index of a rate point, or a number between two, which is rounded to a
            multiple of 1/32; `default_rate` if there is no target either.
          coder: name of an entropy coder, see `dlf_jax.entropy_coding.coders`; every
            installation reads files of the default coder.
          raw: leave header and checksum out, see `decompress_raw`.
          **targets: instead of a rate, one of the targets of `Goal`, for each image.

        Returns:
          The bytes of one file, or a list of them.

        Raises:
          UserError: an argument has the wrong type or value, no rate keeps to the
            target, or the entropy coder is not installed.
        """
        goal = Goal(rate, **targets)
        if isinstance(images, list):
            return [self._compress(image, goal, coder, raw) for image in images]
        return self._compress(images, goal, coder, raw)

    def _compress(self, image: Any, goal: Goal, coder: str, raw: bool) -> bytes:
        _check_image(image)
        return self.reach(image, goal, coder, raw).data

    def decompress(self, data: bytes | list[bytes]) -> Image | list[Image]:
        """Decompresses one file or a list of files.

        Raises:
          UserError: a file is damaged or was written with another model.
        """
        if isinstance(data, list):
            return [self.decompress(one) for one in data]
        return self.reconstruct(parse(data))

    def decompress_raw(
        self,
        payload: bytes,
        size: tuple[int, int],
        rate: Number,
        *,
        coder: str = "range",
    ) -> Image:
        """Decompresses what `compress` returns with ``raw=True``.

        There is no checksum: other bytes, or other arguments than those of the encoder,
        usually give a wrong image.

        Args:
          payload: the bytes.
          size: (width, height) of the image, in pixels.
          rate: of the encoder; `reach` returns the one that it found.
          coder: of the encoder.

        Raises:
          UserError: an argument has the wrong value, or the bytes cannot be decoded.
        """
        return self.reconstruct(self.raw_file(payload, size, rate, coder))

    def raw_file(
        self, payload: bytes, size: tuple[int, int], rate: Number, coder: str = "range"
    ) -> ParsedFile:
        """The file that has a payload; the arguments are those of `decompress_raw`."""
        if not all(isinstance(side, int) and side > 0 for side in size):
            raise UserError(f"the size is {size}: use (width, height), in pixels")
        rate = nearest_rate(rate, self.num_rates)
        header = Header(self.model_id, rate, *size, coder_id(coder))
        return ParsedFile(header, bytes(payload), len(payload))

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
        self, image: Image, rate: Number, *, coder: str = "range"
    ) -> tuple[bytes, Code]:
        """Encodes one image; returns the file and the content that it decodes to."""
        encoded = self.reach(image, Goal(rate), coder)
        return encoded.data, encoded.code

    def reach(
        self, image: Image, goal: Goal, coder: str = "range", raw: bool = False
    ) -> Encoded:
        """Encodes one image; the other arguments are those of `compress`."""
        rate = self.rate_of(goal)
        number = coder_id(coder)
        CODERS[number].load()
        height, width, _ = image.shape
        layout = self._layout(height, width)
        analysis = self.network.analyze(image)

        def at(rate):
            header = Header(self.model_id, rate, width, height, number)
            payload, code = self._encode(analysis, header, layout)
            data = payload if raw else pack(header, payload)
            file = ParsedFile(header, payload, len(data))
            return Encoded(file, data, code, lambda: self._picture(header, code))

        if goal.has_target:
            return search(goal, image, all_rates(self.num_rates), at)
        return at(rate)

    def _encode(
        self, analysis: Analysis, header: Header, layout: Layout
    ) -> tuple[bytes, Code]:
        """Returns the payload, and the content that it decodes to."""
        tokens, y = analysis.tokens, analysis.latent(header.rate)
        encoder = CODERS[header.coder].encoder(self._distributions)
        encoder.encode(np.ravel(tokens), np.tile(self._token_rows, len(tokens)))
        context = self.model.context.of_image(header.rate, layout.grid)
        symbols, y_hat = encode_latent(y, context, encoder)
        payload = encoder.finish().ljust(layout.min_payload, b"\0")
        return payload, Code(tokens, symbols, y_hat)

    def decode(self, data: bytes) -> tuple[Header, Code]:
        """Decodes a file up to the latents; `decompress` also synthesizes the image."""
        file = parse(data)
        layout = self._layout_of(file)
        return file.header, self._decode(file.header, layout, self._decoder(file))

    def _decode(self, header: Header, layout: Layout, decoder: SymbolDecoder) -> Code:
        tokens = decoder.decode(np.tile(self._token_rows, layout.tokens[0]))
        context = self.model.context.of_image(header.rate, layout.grid)
        symbols, y_hat = decode_latent(context, decoder)
        return Code(tokens.reshape(layout.tokens), symbols, y_hat)

    def _synthesize(
        self, header: Header, layout: Layout, decoder: SymbolDecoder
    ) -> Image:
        """Decodes while the synthesis is being compiled, then runs the synthesis."""
        self.network.prepare_synthesis(layout.grid)
        return self._picture(header, self._decode(header, layout, decoder))

    def _picture(self, header: Header, code: Code) -> Image:
        image = self.network.synthesize(code.tokens, code.y_hat, header.rate)
        return image[: header.height, : header.width]

    def _decoder(self, file: ParsedFile) -> SymbolDecoder:
        return CODERS[file.header.coder].decoder(file.payload, self._distributions)

    def _layout(self, height: int, width: int) -> Layout:
        return Layout(self.model, height, width, self.limits)

    def _layout_of(self, file: ParsedFile, *, damaged: bool = False) -> Layout:
        """The layout of a file, once this model is known to decode it."""
        header = file.header
        if header.model_id != self.model_id:
            raise UserError(
                f"the file was written with model {header.model_id.hex()}, not with "
                f"{self.model.name} ({self.model_id.hex()}): see `dlf models`"
            )
        if header.rate > self.num_rates - 1:
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
