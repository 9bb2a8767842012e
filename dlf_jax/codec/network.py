"""Analysis and synthesis of a loaded model as compiled functions of host arrays.

The functions below import the model while tracing: programs from the cache need no
model code.
"""

import dataclasses
from collections.abc import Callable

import jax
import numpy as np

from dlf_jax.checkpoints.store import LoadedModel
from dlf_jax.codec.programs import Program
from dlf_jax.entropy_coding.rates import Number
from dlf_jax.models.config import DLFConfig
from dlf_jax.ops.pixels import to_signed, to_uint8
from dlf_jax.typing import Float, Int, UInt8


@dataclasses.dataclass(frozen=True)
class Analysis:
    """An image, analysed.

    Attributes:
      tokens: semantic code indices, tiles in reading order.
      latent: maps a rate to the detail latent before quantisation, (1, h, w, N).
    """

    tokens: Int[np.ndarray, "T K"]
    latent: Callable[[Number], np.ndarray]


class CompiledNetwork:
    """Analysis and synthesis of single images.

    The context model is not compiled: it computes in integers on the host, so that
    every machine decodes a file to the same symbols.

    Args:
      model: the model.
      max_memory: most bytes of one run, see `Program`.
    """

    def __init__(self, model: LoadedModel, max_memory: int):
        self._config = config = model.config

        def program(build, parts, device):
            return Program(
                lambda: build(config),
                params={part: model.params[part] for part in parts},
                identity={"name": build.__name__, "config": config.to_dict()},
                device=device,
                max_memory=max_memory,
            )

        device = jax.local_devices()[0]
        self._encode = program(_encode, ("encoder", "tokens"), device)
        self._latent = program(_latent, ("analysis",), device)
        self._synthesize = program(
            _synthesize, ("tokens", "synthesis", "decoder", "fusion", "vqgan"), device
        )

    def prepare_synthesis(
        self, token_shape: tuple[int, int], grid: tuple[int, int]
    ) -> None:
        """Starts to compile `synthesize` for a size, in the background."""
        tokens = jax.ShapeDtypeStruct(token_shape, np.int32)
        latent = jax.ShapeDtypeStruct(self._latent_shape(grid), np.float32)
        self._synthesize.prepare(tokens, latent, _batch(0))

    def analyze(self, image: UInt8[np.ndarray, "H W 3"]) -> Analysis:
        """Analyses an image whose sides are multiples of a tile."""
        stride = self._config.detail_stride
        grid = image.shape[0] // stride, image.shape[1] // stride
        shape = (1, *grid, self._config.detail_width)
        self._latent.prepare(jax.ShapeDtypeStruct(shape, np.float32), _batch(0))
        tokens, detail = self._encode(image[None])

        def latent(rate):
            return np.asarray(self._latent(detail, _batch(rate)))

        return Analysis(np.asarray(tokens), latent)

    def synthesize(
        self,
        tokens: Int[np.ndarray, "T K"],
        y_hat: Float[np.ndarray, "1 h w N"],
        rate: Number,
    ) -> UInt8[np.ndarray, "H W 3"]:
        """The image of decoded tokens and latent, rounded half up."""
        return np.asarray(self._synthesize(tokens, y_hat, _batch(rate)))[0]

    def _latent_shape(self, grid: tuple[int, int]) -> tuple[int, int, int, int]:
        return (1, *grid, self._config.latent_channels)


def _encode(config: DLFConfig) -> Callable:
    from dlf_jax.models.dlf import DLF

    def encode(params, images):
        images = to_signed(images)
        result = DLF(config).apply({"params": params}, images, method="encode")
        return result.tokens, result.detail

    return encode


def _latent(config: DLFConfig) -> Callable:
    from dlf_jax.models.dlf import DLF

    def latent(params, detail, rate):
        return DLF(config).apply({"params": params}, detail, rate, method="latent")

    return latent


def _synthesize(config: DLFConfig) -> Callable:
    from dlf_jax.models.dlf import DLF

    def synthesize(params, tokens, y_hat, rate):
        images = DLF(config).apply(
            {"params": params}, tokens, y_hat, rate, method="synthesize"
        )
        return to_uint8(images)

    return synthesize


def _batch(rate: Number) -> Float[np.ndarray, "1"]:
    return np.array([rate], np.float32)
