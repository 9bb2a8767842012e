"""The VQGAN whose latent space the codec predicts (docs/architecture.md#vqgan)."""

from flax import linen as nn
from flax import struct

from dlf_jax.models.config import VQGANConfig
from dlf_jax.nn.layers import Dense, cell_or_group_norm, conv, dense
from dlf_jax.nn.resnet import Downsample, ResBlock, SpatialAttention, Upsample
from dlf_jax.nn.vector_quantizer import VectorQuantizer, VQOutput
from dlf_jax.ops.links import positions
from dlf_jax.ops.noise import fixed_noise
from dlf_jax.ops.tiling import pixel_shuffle, pixel_unshuffle
from dlf_jax.typing import Array, Float


class _Level(nn.Module):
    """The residual blocks of one resolution, optionally with attention."""

    features: int
    num_blocks: int
    attention: bool
    norm_groups: int

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W D"]:
        for i in range(self.num_blocks):
            x = ResBlock(self.features, self.norm_groups, name=f"block_{i}")(x)
            if self.attention:
                x = SpatialAttention(self.norm_groups, name=f"attention_{i}")(x)
        return x


class _Middle(nn.Module):
    """Two residual blocks at the coarsest resolution, attention between them."""

    attention: bool
    norm_groups: int

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        x = ResBlock(x.shape[-1], self.norm_groups, name="block_0")(x)
        if self.attention:
            x = SpatialAttention(self.norm_groups, name="attention")(x)
        return ResBlock(x.shape[-1], self.norm_groups, name="block_1")(x)


class _Texture(nn.Module):
    """Adds noise from ±½, with a strength predicted for each channel and place."""

    @nn.compact
    def __call__(
        self, x: Float[Array, "B H W C"], noise: Float[Array, "N H W T"]
    ) -> Float[Array, "B H W C"]:
        strength = dense(x, noise.shape[-1], "strength")
        texture = strength * (12**0.5 * noise)  # of variance 1
        zeros = nn.initializers.zeros
        return x + Dense(x.shape[-1], kernel_init=zeros, name="out")(texture)


class VQGANEncoder(nn.Module):
    """Image in [-1, 1] to features at 1/stride."""

    config: VQGANConfig

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3"]) -> Float[Array, "B h w C"]:
        cfg = self.config
        last = len(cfg.multipliers) - 1
        x = pixel_unshuffle(image, cfg.patch)
        x = conv(x, cfg.channels, "conv_in")
        for i, multiplier in enumerate(cfg.multipliers):
            x = _Level(
                cfg.channels * multiplier,
                cfg.num_res_blocks,
                i in cfg.attention_levels,
                cfg.norm_groups,
                name=f"level_{i}",
            )(x)
            if i < last:
                x = Downsample(name=f"downsample_{i}")(x)
        x = _Middle(cfg.mid_attention, cfg.norm_groups, name="middle")(x)
        if cfg.linear_path:
            direct = dense(pixel_unshuffle(image, cfg.stride), cfg.z_channels, "linear")
            return direct + conv(x, cfg.z_channels, "conv_out")
        x = nn.silu(cell_or_group_norm(cfg.norm_groups, "norm_out")(x))
        return conv(x, cfg.z_channels, "conv_out")


class VQGANDecoder(nn.Module):
    """Features at 1/stride to an image, nominally in [-1, 1], not clipped."""

    config: VQGANConfig

    @nn.compact
    def __call__(
        self, x: Float[Array, "B h w C"], texture: Float[Array, "N I J T"]
    ) -> Float[Array, "B H W 3"]:
        cfg = self.config
        latent = x
        x = conv(x, cfg.channels * cfg.multipliers[-1], "conv_in")
        x = _Middle(cfg.mid_attention, cfg.norm_groups, name="middle")(x)
        for i, multiplier in reversed(list(enumerate(cfg.multipliers))):
            if i == 0 and cfg.texture_channels:
                x = _Texture(name="texture")(x, texture)
            x = _Level(
                cfg.channels * multiplier,
                cfg.num_res_blocks + 1,
                i in cfg.attention_levels,
                cfg.norm_groups,
                name=f"level_{i}",
            )(x)
            if i > 0:
                x = Upsample(name=f"upsample_{i}")(x)
        if cfg.linear_path:
            direct = dense(latent, 3 * cfg.stride**2, "linear")
            zeros = nn.initializers.zeros
            x = conv(x, 3 * cfg.patch**2, "conv_out", kernel_init=zeros)
            return pixel_shuffle(direct, cfg.stride) + pixel_shuffle(x, cfg.patch)
        x = nn.silu(cell_or_group_norm(cfg.norm_groups, "norm_out")(x))
        return pixel_shuffle(conv(x, 3 * cfg.patch**2, "conv_out"), cfg.patch)


@struct.dataclass
class VQGANOutput:
    """Reconstruction (B, H, W, 3) and the quantiser's result."""

    recon: Float[Array, "B H W 3"]
    vq: VQOutput


class VQGAN(nn.Module):
    """Encoder, codebook and decoder; the codec uses the last two at inference."""

    config: VQGANConfig

    def setup(self):
        cfg = self.config
        self.encoder = VQGANEncoder(cfg)
        self.quant_conv = Dense(cfg.embed_dim)
        self.quantizer = VectorQuantizer(cfg.num_codes, cfg.embed_dim)
        self.post_quant_conv = Dense(cfg.z_channels)
        self.decoder = VQGANDecoder(cfg)

    def encode(self, image: Float[Array, "B H W 3"]) -> Float[Array, "B h w E"]:
        """Latent before quantisation; `image` in [-1, 1], sides multiples of stride."""
        return self.quant_conv(self.encoder(image))

    def quantize(self, latent: Float[Array, "B h w E"]) -> VQOutput:
        """Nearest code of every cell."""
        return self.quantizer(latent)

    def lookup(self, logits: Float[Array, "B h w K"]) -> Float[Array, "B h w E"]:
        """The expected code vector under softmax(`logits`).

        See docs/architecture.md#latent-fusion.
        """
        return nn.softmax(logits) @ self.quantizer.codebook

    def decode(
        self,
        latent: Float[Array, "B h w E"],
        texture: Float[Array, "N I J T"] | None = None,
    ) -> Float[Array, "B H W 3"]:
        """Image of a latent, not clipped.

        Args:
          latent: as `encode` gives it, quantised or not.
          texture: noise, uniform in ±½, for the cells of the finest level, of every
            image or one for all images (N = 1); by default `fixed_noise`.
        """
        cfg = self.config
        if texture is None:
            height, width = (s * cfg.stride // cfg.patch for s in latent.shape[1:3])
            texture = fixed_noise(*positions(height, width), cfg.texture_channels)
        return self.decoder(self.post_quant_conv(latent), texture)

    def __call__(self, image: Float[Array, "B H W 3"]) -> VQGANOutput:
        """Autoencodes `image` (in [-1, 1]) through the codebook."""
        vq = self.quantize(self.encode(image))
        return VQGANOutput(recon=self.decode(vq.quantized), vq=vq)
