"""The networks of a loaded model as compiled functions between host arrays."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.checkpoints.store import LoadedModel
from dlf_jax.entropy.four_step import Prior
from dlf_jax.models.dlf import DLF
from dlf_jax.typing import Float, Int, UInt8

# The parameters that each program reads.
_ANALYSIS = ("encoder", "tokens", "analysis")
_CONTEXT = ("context",)
_SYNTHESIS = ("tokens", "synthesis", "decoder", "fusion", "vqgan")


class CompiledNetwork:
    """Analysis, context model and synthesis of single images.

    Every program is compiled at its first use with an image size.  Batches are always
    of one image: the probability of a symbol must not depend on its company.
    """

    def __init__(self, model: LoadedModel):
        module = DLF(model.config)

        def analyze(params, images, rate):
            images = images.astype(jnp.float32) / 127.5 - 1.0
            return module.apply({"params": params}, images, rate, method="analyze")

        def prior(params, rate, grid):
            return module.apply({"params": params}, rate, grid, method="prior")

        def step(params, part, decoded, prior):
            variables = {"params": params}
            return module.apply(variables, part, decoded, prior, method="context_step")

        def synthesize(params, tokens, y_hat, rate):
            variables = {"params": params}
            images = module.apply(variables, tokens, y_hat, rate, method="synthesize")
            images = jnp.clip(images, -1.0, 1.0) * 127.5 + 127.5
            return jnp.floor(images + 0.5).astype(jnp.uint8)

        self._skip_threshold = model.config.skip_threshold
        self._analysis = jax.device_put(_select(model.params, _ANALYSIS))
        self._synthesis = jax.device_put(_select(model.params, _SYNTHESIS))
        # The context model runs on the CPU beside any accelerator, so that files move
        # between machines with different ones.
        self._cpu = jax.local_devices(backend="cpu")[0]
        self._context = jax.device_put(_select(model.params, _CONTEXT), self._cpu)
        self._analyze = jax.jit(analyze)
        self._prior = jax.jit(prior, static_argnums=2)
        self._step = jax.jit(step, static_argnums=1)
        self._synthesize = jax.jit(synthesize)

    def analyze(
        self, image: UInt8[np.ndarray, "H W 3"], rate: int
    ) -> tuple[Int[np.ndarray, "T K"], Float[np.ndarray, "1 h w N"]]:
        """Tokens and detail latent of an image whose sides are multiples of a tile."""
        result = self._analyze(self._analysis, image[None], _batch(rate))
        return np.asarray(result.tokens), np.asarray(result.y)

    def context(self, rate: int, grid: tuple[int, int]) -> "CompiledContext":
        """The context model of one latent of `grid` = (height, width) cells."""
        with jax.default_device(self._cpu):
            prior = self._prior(self._context, _batch(rate), grid)

        def step(part, decoded):
            with jax.default_device(self._cpu):
                return self._step(self._context, part, decoded, prior)

        return CompiledContext(prior, self._skip_threshold, step)

    def synthesize(
        self,
        tokens: Int[np.ndarray, "T K"],
        y_hat: Float[np.ndarray, "1 h w N"],
        rate: int,
    ) -> UInt8[np.ndarray, "H W 3"]:
        """The image of decoded tokens and latent, rounded half up."""
        images = self._synthesize(self._synthesis, tokens, y_hat, _batch(rate))
        return np.asarray(images)[0]


class CompiledContext:
    """`latent_coding.ContextModel` of one image."""

    def __init__(self, prior: Prior, skip_threshold: float, step: Callable):
        self.quant_step = np.asarray(prior.step)
        self.skip_threshold = skip_threshold
        self._step = step

    def step(
        self, part: int, decoded: Float[np.ndarray, "1 h w N"]
    ) -> tuple[Float[np.ndarray, "1 h w N"], Float[np.ndarray, "1 h w N"]]:
        scales, means = self._step(part, decoded)
        return np.asarray(scales), np.asarray(means)


def _select(params: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: params[name] for name in names}


def _batch(rate: int) -> Int[np.ndarray, "1"]:
    return np.array([rate], np.int32)
