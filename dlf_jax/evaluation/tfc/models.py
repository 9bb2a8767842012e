"""Learned transform codecs, from the layers and coders of TensorFlow Compression.

Three models, each trained for mean squared error at one rate per set of weights:

    bls2017               9x9 and 5x5 convolutions of stride 16 in all; factorised prior
    bmshj2018-factorized  four 5x5 convolutions; factorised prior
    bmshj2018             the same with a scale hyperprior

References: Ballé, Laparra, Simoncelli, "End-to-end Optimized Image Compression", ICLR
2017; Ballé, Minnen, Singh, Hwang, Johnston, "Variational Image Compression with a Scale
Hyperprior", ICLR 2018.  They use 128 to 192 filters; `FILTERS` fits a CPU.
"""

import functools
import struct

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc

FILTERS = 64
LATENTS = 96
_SCALES = np.exp(np.linspace(np.log(0.11), np.log(64.0), 64)).astype(np.float32)
_SIZE = struct.Struct(">HH")


def make_model(name: str) -> "Factorized":
    """Creates an untrained model.

    Raises:
      KeyError: the model is unknown.
    """
    return {
        "bls2017": functools.partial(Factorized, [(9, 4), (5, 2), (5, 2)], FILTERS),
        "bmshj2018-factorized": functools.partial(Factorized, [(5, 2)] * 4, LATENTS),
        "bmshj2018": functools.partial(Hyperprior, [(5, 2)] * 4, LATENTS),
    }[name]()


class Factorized(tf.Module):
    """Analysis transform, factorised prior and synthesis transform.

    Args:
      layers: (kernel, stride) of the analysis; the synthesis mirrors it.
      latents: channels of the latent.
    """

    def __init__(self, layers: list[tuple[int, int]], latents: int):
        super().__init__()
        self.latents = latents
        self.stride = int(np.prod([stride for _, stride in layers]))
        channels = [FILTERS] * (len(layers) - 1)
        self.analysis = _stack("down", layers, [*channels, latents])
        self.synthesis = _stack("up", layers[::-1], [*channels, 3])
        self.prior = tfc.NoisyDeepFactorized(
            batch_shape=(self._prior_channels(),), init_scale=3
        )
        self.prepare(compression=False)
        self.rate_and_error(tf.zeros((1, 256, 256, 3)))

    def _prior_channels(self) -> int:
        return self.latents

    def prepare(self, *, compression: bool) -> None:
        """Creates the entropy model; `compression` adds integer tables for coding."""
        self._factorized = tfc.ContinuousBatchedEntropyModel(
            self.prior, coding_rank=3, compression=compression, offset_heuristic=False
        )

    def rate_and_error(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Bits per pixel, with noise in place of rounding, and mean squared error.

        Args:
          image: float (B, H, W, 3) in 0..255, sides multiples of the stride.
        """
        y, bits = self._noisy_latent(self.analysis(image / 255.0))
        error = tf.math.squared_difference(image, self.synthesis(y) * 255.0)
        pixels = tf.cast(tf.reduce_prod(tf.shape(image)[:-1]), tf.float32)
        return tf.reduce_sum(bits) / pixels, tf.reduce_mean(error)

    def _noisy_latent(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._factorized(y, training=True)

    def compress(self, image: np.ndarray) -> bytes:
        """Encodes a uint8 (H, W, 3) image: its size, then the strings of the coder."""
        height, width, _ = image.shape
        below, right = -height % self.block, -width % self.block
        padded = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
        strings = self._encode(self.analysis(padded[None].astype(np.float32) / 255.0))
        # The last string ends with the file, so its length is not stored.
        lengths = b"".join(struct.pack(">H", len(string)) for string in strings[:-1])
        return _SIZE.pack(height, width) + lengths + b"".join(strings)

    def decompress(self, data: bytes) -> np.ndarray:
        """Decodes a file of `compress`."""
        height, width = _SIZE.unpack_from(data)
        grid = [-(-side // self.block) for side in (height, width)]
        y = self._decode(data[_SIZE.size :], grid)
        image = tf.cast(tf.round(self.synthesis(y) * 255.0), tf.int32)
        image = tf.clip_by_value(image, 0, 255).numpy().astype(np.uint8)
        return image[0, :height, :width]

    @property
    def block(self) -> int:
        """Divisor of the sides of padded images."""
        return self.stride

    def _encode(self, y: tf.Tensor) -> list[bytes]:
        return [self._factorized.compress(y).numpy()[0]]

    def _decode(self, data: bytes, grid: list[int]) -> tf.Tensor:
        return self._factorized.decompress([data], grid)


class Hyperprior(Factorized):
    """Scale hyperprior: a second latent codes the scale of every latent value."""

    def __init__(self, layers: list[tuple[int, int]], latents: int):
        kernels = [(3, 1), (5, 2), (5, 2)]
        widths = [FILTERS] * 3
        self.hyper_analysis = _stack("down", kernels, widths, "relu")
        widths = [FILTERS, FILTERS, latents]
        self.hyper_synthesis = _stack("up", kernels[::-1], widths, "relu")
        super().__init__(layers, latents)

    def _prior_channels(self) -> int:
        return FILTERS

    @property
    def block(self) -> int:
        return 4 * self.stride

    def prepare(self, *, compression: bool) -> None:
        super().prepare(compression=compression)
        self._gaussian = tfc.LocationScaleIndexedEntropyModel(
            tfc.NoisyNormal,
            num_scales=len(_SCALES),
            scale_fn=lambda index: tf.gather(_SCALES, tf.cast(index, tf.int32)),
            coding_rank=3,
            compression=compression,
        )

    def _noisy_latent(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        z, side_bits = self._factorized(self.hyper_analysis(abs(y)), training=True)
        spread = tf.math.softplus(self.hyper_synthesis(z)) + _SCALES[0]
        prior = tfc.NoisyNormal(loc=0.0, scale=spread)
        noisy = y + tf.random.uniform(tf.shape(y), -0.5, 0.5)
        bits = -tf.reduce_sum(prior.log_prob(noisy), (1, 2, 3)) / np.log(2.0)
        return noisy, bits + side_bits

    def _indexes(self, z: tf.Tensor) -> tf.Tensor:
        spread = tf.math.softplus(self.hyper_synthesis(z)) + _SCALES[0]
        step = np.log(_SCALES[1] / _SCALES[0])
        index = tf.round(tf.math.log(spread / _SCALES[0]) / step)
        return tf.clip_by_value(index, 0, len(_SCALES) - 1)

    def _encode(self, y: tf.Tensor) -> list[bytes]:
        z = self.hyper_analysis(abs(y))
        side = self._factorized.compress(z)
        z = self._factorized.decompress(side, tf.shape(z)[1:3])
        main = self._gaussian.compress(y, self._indexes(z))
        return [side.numpy()[0], main.numpy()[0]]

    def _decode(self, data: bytes, grid: list[int]) -> tf.Tensor:
        (length,) = struct.unpack_from(">H", data)
        side, main = data[2 : 2 + length], data[2 + length :]
        z = self._factorized.decompress([side], grid)
        return self._gaussian.decompress([main], self._indexes(z))


def _stack(
    direction: str, layers: list, channels: list[int], activation: str = "gdn"
) -> tf.keras.Sequential:
    """Convolutions with an activation after each one except the last."""
    stack = []
    for i, ((kernel, stride), filters) in enumerate(zip(layers, channels, strict=True)):
        options = {f"strides_{direction}": stride, "corr": direction == "down"}
        if i < len(layers) - 1 and activation == "gdn":
            options["activation"] = tfc.GDN(inverse=direction == "up")
        elif i < len(layers) - 1:
            options["activation"] = tf.nn.relu
        stack.append(
            tfc.SignalConv2D(
                filters,
                (kernel, kernel),
                padding="same_zeros",
                use_bias=True,
                name=f"{direction}_{i}",
                **options,
            )
        )
    return tf.keras.Sequential(stack)


def save(model: Factorized, path: str) -> None:
    """Writes the weights as 16-bit floats."""
    values = [np.float16(v.numpy()) for v in model.trainable_variables]
    np.savez_compressed(path, *values)


def load(name: str, path: str) -> Factorized:
    """Loads a model with weights of `save`, ready for coding."""
    model = make_model(name)
    with np.load(path) as file:
        stored = [file[key] for key in file.files]
    for variable, value in zip(model.trainable_variables, stored, strict=True):
        variable.assign(value.astype(np.float32))
    model.prepare(compression=True)
    return model
