"""The whole codec network: image to tokens and latent, and back.

See docs/architecture.md#data-flow.
"""

import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from dlf_jax.entropy.four_step import FourStepContext, Prior
from dlf_jax.entropy.gaussian import noisy_bits, rounded_bits
from dlf_jax.models.bottleneck import analysis_transform, synthesis_transform
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dual_branch import DualBranchDecoder, DualBranchEncoder
from dlf_jax.models.fusion import LatentFusion
from dlf_jax.models.vqgan import VQGAN
from dlf_jax.nn.layers import Dense
from dlf_jax.nn.vector_quantizer import VectorQuantizer, VQOutput
from dlf_jax.typing import Array, Float, Int, Num


@struct.dataclass
class Encoding:
    """Result of the encoder, the same at every rate.

    Attributes:
      tokens: code indices of every tile, tiles in (image, row, column) order.
      detail: features of the detail branch.
    """

    tokens: Int[Array, "T K"]
    detail: Float[Array, "B h w F"]


@struct.dataclass
class Analysis:
    """Input of the entropy coder.

    Attributes:
      tokens: as in `Encoding`.
      y: detail latent before quantisation.
    """

    tokens: Int[Array, "T K"]
    y: Float[Array, "B h w N"]


@struct.dataclass
class CodecOutput:
    """Result of the training forward.

    Attributes:
      logits: over the VQGAN's codes.
      latent: the expected code vector under `logits`.
      tokens: result of the semantic quantiser.
      bits: estimated detail bits of every image, without tokens: of noisy values if
        noise was given, otherwise of rounded symbols.
      bits_rounded: estimated detail bits of the rounded symbols.
    """

    logits: Float[Array, "B H W C"]
    latent: Float[Array, "B H W E"]
    tokens: VQOutput
    bits: Float[Array, "B"]
    bits_rounded: Float[Array, "B"]


class DLF(nn.Module):
    """Dual-generative Latent Fusion.

    `analyze`, `prior`, `context_step` and `synthesize` are the pieces of the codec;
    calling the module is the training forward.  Images are NHWC in [-1, 1] with sides
    that are multiples of ``config.tile_size``.  Rates are indices of rate points, or
    numbers between them.
    """

    config: DLFConfig

    def setup(self):
        cfg = self.config
        self.encoder = DualBranchEncoder(cfg)
        self.tokens = VectorQuantizer(
            cfg.codebook_size, cfg.token_width, normalize=True
        )
        self.analysis = analysis_transform(cfg)
        self.context = FourStepContext(
            cfg.latent_channels, cfg.num_rates, cfg.num_spatial_blocks
        )
        self.synthesis = synthesis_transform(cfg)
        self.decoder = DualBranchDecoder(cfg)
        self.fusion = LatentFusion(cfg)
        self.vqgan = VQGAN(cfg.vqgan)

    def analyze(
        self, image: Float[Array, "B H W 3"], rate: Num[Array, "B"]
    ) -> Analysis:
        """Tokens and detail latent of images, each at its rate."""
        encoding = self.encode(image)
        return Analysis(encoding.tokens, self.latent(encoding.detail, rate))

    def encode(self, image: Float[Array, "B H W 3"]) -> Encoding:
        """The part of `analyze` that does not depend on the rate."""
        vectors, detail = self.encoder(image)
        return Encoding(self.tokens(vectors).indices, detail)

    def latent(
        self, detail: Float[Array, "B h w F"], rate: Num[Array, "B"]
    ) -> Float[Array, "B h w N"]:
        """The part of `analyze` that depends on the rate."""
        return self.analysis(detail, rate)

    def prior(self, rate: Num[Array, "B"], grid: tuple[int, int]) -> Prior:
        """The context model's state before the first symbol; see `FourStepContext`."""
        return self.context.prior(rate, grid)

    def context_step(
        self, part: int, decoded: Float[Array, "B h w N"], prior: Prior
    ) -> tuple[Float[Array, "B h w N"], Float[Array, "B h w N"]]:
        """Scales and means of one part; see `FourStepContext.step`."""
        return self.context.step(part, decoded, prior)

    def synthesize(
        self,
        tokens: Int[Array, "T K"],
        y_hat: Float[Array, "B h w N"],
        rate: Num[Array, "B"],
    ) -> Float[Array, "B H W 3"]:
        """Images, not clipped, from token indices and decoded latents."""
        logits = self._logits(self.tokens.lookup(tokens), y_hat, rate)
        return self.reconstruct(self.vqgan.lookup(logits))

    def reconstruct(
        self,
        latent: Float[Array, "B H W E"],
        texture: Float[Array, "N I J T"] | None = None,
    ) -> Float[Array, "B h w 3"]:
        """Image of a latent of the VQGAN, not clipped; see `VQGAN.decode`."""
        return self.vqgan.decode(latent, texture)

    def __call__(
        self,
        image: Float[Array, "B H W 3"],
        rate: Num[Array, "B"],
        noise: Float[Array, "B h w N"] | None = None,
    ) -> CodecOutput:
        """The training forward up to the latent; `reconstruct` gives the image.

        Args:
          image: batch of images.
          rate: rate of every image.
          noise: uniform in [−½, ½), added to the residuals for the rate proxy; None
            estimates the rate of the rounded symbols.
        """
        vectors, detail = self.encoder(image)
        tokens = self.tokens(vectors)
        y = self.analysis(detail, rate)
        coded = self.context(y, self.prior(rate, y.shape[1:3]))
        bits_rounded = _per_image(rounded_bits(coded.symbols, coded.scales))
        if noise is None:
            bits = bits_rounded
        else:
            bits = _per_image(noisy_bits(coded.residuals + noise, coded.scales))
        logits = self._logits(tokens.quantized, coded.y_hat, rate)
        return CodecOutput(
            logits=logits,
            latent=self.vqgan.lookup(logits),
            tokens=tokens,
            bits=bits,
            bits_rounded=bits_rounded,
        )

    def _logits(self, codes, y_hat, rate):
        semantic, detail = self.decoder(codes, self.synthesis(y_hat, rate))
        return self.fusion(semantic, detail)


def _per_image(bits: Float[Array, "B h w N"]) -> Float[Array, "B"]:
    return jnp.sum(bits, axis=(1, 2, 3))


@struct.dataclass
class TokenizerOutput:
    """Logits over the VQGAN's codes, and the semantic quantiser's result."""

    logits: Float[Array, "B H W C"]
    tokens: VQOutput


class SemanticTokenizer(nn.Module):
    """The semantic branch alone, predicting VQGAN codes from its tokens.

    The parameters under ``codec`` are a subtree of `DLF`'s parameters; joint training
    of the codec drops the head.
    """

    config: DLFConfig

    def setup(self):
        self.codec = DLF(self.config)
        self.head = Dense(self.config.vqgan.num_codes)

    def __call__(self, image: Float[Array, "B H W 3"]) -> TokenizerOutput:
        """Predicts the code of every cell of images in [-1, 1]."""
        size = self.config.tile_size
        tile_grid = (image.shape[1] // size, image.shape[2] // size)
        codec = self.codec
        vectors = codec.encoder.semantic_only(image)
        tokens = codec.tokens(vectors)
        features = codec.decoder.semantic_only(tokens.quantized, tile_grid)
        return TokenizerOutput(self.head(features), tokens)
