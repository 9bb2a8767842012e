"""Analysis and synthesis of a loaded model as compiled functions of host arrays.

The functions below import the model while tracing: programs from the cache need no
model code.
"""

from collections.abc import Callable

import jax
import numpy as np

from dlf_jax.checkpoints.store import LoadedModel
from dlf_jax.codec.programs import Program
from dlf_jax.models.config import DLFConfig
from dlf_jax.ops.pixels import to_signed, to_uint8
from dlf_jax.typing import Float, Int, UInt8


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
        self._analyze = program(_analyze, ("encoder", "tokens", "analysis"), device)
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

    def analyze(
        self, image: UInt8[np.ndarray, "H W 3"], rate: int
    ) -> tuple[Int[np.ndarray, "T K"], Float[np.ndarray, "1 h w N"]]:
        """Tokens and detail latent of an image; its sides are multiples of a tile."""
        tokens, y = self._analyze(image[None], _batch(rate))
        return np.asarray(tokens), np.asarray(y)

    def synthesize(
        self,
        tokens: Int[np.ndarray, "T K"],
        y_hat: Float[np.ndarray, "1 h w N"],
        rate: int,
    ) -> UInt8[np.ndarray, "H W 3"]:
        """The image of decoded tokens and latent, rounded half up."""
        return np.asarray(self._synthesize(tokens, y_hat, _batch(rate)))[0]

    def _latent_shape(self, grid: tuple[int, int]) -> tuple[int, int, int, int]:
        return (1, *grid, self._config.latent_channels)


def _analyze(config: DLFConfig) -> Callable:
    from dlf_jax.models.dlf import DLF

    def analyze(params, images, rate):
        images = to_signed(images)
        variables = {"params": params}
        result = DLF(config).apply(variables, images, rate, method="analyze")
        return result.tokens, result.y

    return analyze


def _synthesize(config: DLFConfig) -> Callable:
    from dlf_jax.models.dlf import DLF

    def synthesize(params, tokens, y_hat, rate):
        images = DLF(config).apply(
            {"params": params}, tokens, y_hat, rate, method="synthesize"
        )
        return to_uint8(images)

    return synthesize


def _batch(rate: int) -> Int[np.ndarray, "1"]:
    return np.array([rate], np.int32)
