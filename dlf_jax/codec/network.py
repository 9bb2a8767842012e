"""The networks of a loaded model as compiled functions between host arrays.

The functions below import the model where they trace it, not before: a program that
comes from the cache does not need it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.checkpoints.store import LoadedModel
from dlf_jax.codec.programs import Program
from dlf_jax.models.config import DLFConfig
from dlf_jax.typing import Float, Int, UInt8


class CompiledNetwork:
    """Analysis, context model and synthesis of single images.

    Batches are always of one image: the probability of a symbol must not depend on its
    company.  The context model runs on the CPU beside any accelerator, so that files
    move between machines with different ones.
    """

    def __init__(self, model: LoadedModel):
        self._config = config = model.config

        def program(build, parts, device):
            return Program(
                lambda: build(config),
                params={part: model.params[part] for part in parts},
                identity={"name": build.__name__, "config": config.to_dict()},
                device=device,
            )

        device, cpu = jax.local_devices()[0], _cpu()
        self._analyze = program(_analyze, ("encoder", "tokens", "analysis"), device)
        self._prior = program(_prior, ("context",), cpu)
        self._step = program(_step, ("context",), cpu)
        self._synthesize = program(
            _synthesize, ("tokens", "synthesis", "decoder", "fusion", "vqgan"), device
        )

    def prepare_context(self, grid: tuple[int, int]) -> None:
        """Starts to compile what `context` needs."""
        latent = jax.ShapeDtypeStruct(self._latent_shape(grid), np.float32)
        self._prior.prepare(_batch(0), latent)
        self._step.prepare(np.int32(0), *[latent] * 5)

    def prepare_synthesis(
        self, token_shape: tuple[int, int], grid: tuple[int, int]
    ) -> None:
        """Starts to compile what `synthesize` needs."""
        tokens = jax.ShapeDtypeStruct(token_shape, np.int32)
        latent = jax.ShapeDtypeStruct(self._latent_shape(grid), np.float32)
        self._synthesize.prepare(tokens, latent, _batch(0))

    def analyze(
        self, image: UInt8[np.ndarray, "H W 3"], rate: int
    ) -> tuple[Int[np.ndarray, "T K"], Float[np.ndarray, "1 h w N"]]:
        """Tokens and detail latent of an image whose sides are multiples of a tile."""
        tokens, y = self._analyze(image[None], _batch(rate))
        return np.asarray(tokens), np.asarray(y)

    def context(self, rate: int, grid: tuple[int, int]) -> "CompiledContext":
        """The context model of one latent of `grid` = (height, width) cells."""
        like = np.zeros(self._latent_shape(grid), np.float32)
        prior = self._prior(_batch(rate), like)
        return CompiledContext(
            lambda part, decoded: self._step(np.int32(part), decoded, *prior),
            quant_step=np.asarray(prior[0]),
            skip_threshold=self._config.skip_threshold,
        )

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


class CompiledContext:
    """`latent_coding.ContextModel` of one image, on a compiled step."""

    def __init__(
        self,
        step: Callable,
        quant_step: Float[np.ndarray, "1 h w N"],
        skip_threshold: float,
    ):
        self._step = step
        self.quant_step = quant_step
        self.skip_threshold = skip_threshold

    def step(
        self, part: int, decoded: Float[np.ndarray, "1 h w N"]
    ) -> tuple[Float[np.ndarray, "1 h w N"], Float[np.ndarray, "1 h w N"]]:
        scales, means = self._step(part, decoded)
        return np.asarray(scales), np.asarray(means)


def _analyze(config: DLFConfig) -> Callable:
    from dlf_jax.models.dlf import DLF

    def analyze(params, images, rate):
        images = images.astype(jnp.float32) / 127.5 - 1.0
        variables = {"params": params}
        result = DLF(config).apply(variables, images, rate, method="analyze")
        return result.tokens, result.y

    return analyze


def _prior(config: DLFConfig) -> Callable:
    from dlf_jax.models.dlf import DLF

    def prior(params, rate, like):
        grid = like.shape[1:3]
        found = DLF(config).apply({"params": params}, rate, grid, method="prior")
        return found.step, found.scales, found.means, found.common

    return prior


def _step(config: DLFConfig) -> Callable:
    """One program for all parts, which encoder and decoder share."""
    from dlf_jax.entropy.four_step import Prior
    from dlf_jax.models.dlf import DLF
    from dlf_jax.ops.partition import NUM_PARTS

    def step(params, part, decoded, *prior):
        def one_part(k):
            return lambda decoded, prior: DLF(config).apply(
                {"params": params}, k, decoded, prior, method="context_step"
            )

        branches = [one_part(k) for k in range(NUM_PARTS)]
        return jax.lax.switch(part, branches, decoded, Prior(*prior))

    return step


def _synthesize(config: DLFConfig) -> Callable:
    from dlf_jax.models.dlf import DLF

    def synthesize(params, tokens, y_hat, rate):
        images = DLF(config).apply(
            {"params": params}, tokens, y_hat, rate, method="synthesize"
        )
        images = jnp.clip(images, -1.0, 1.0) * 127.5 + 127.5
        return jnp.floor(images + 0.5).astype(jnp.uint8)

    return synthesize


def _batch(rate: int) -> Int[np.ndarray, "1"]:
    return np.array([rate], np.int32)


def _cpu() -> jax.Device:
    """The host as a device; where jax was told to do without it, the default."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return jax.local_devices()[0]
