"""The context model of a file: `FourStepContext` in exact integer arithmetic.

Encoder and decoder must agree on the probability of every symbol to the last bit, on
any two machines.  Files are therefore coded with this integer network on the host,
whose weights are rounded once and stored, and not with the trained floating-point
network.
"""

import functools
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import threadpoolctl
from jaxtyping import Float, Int

from dlf_jax.entropy_coding import fixed_point as fp
from dlf_jax.entropy_coding.partition import part_masks
from dlf_jax.entropy_coding.rates import STEPS, Number

# Cells whose widest features are held in memory at once.
_CHUNK = 1024

_PRIOR = ("prior_0", "prior_1")

# Found at import, before other threads compile programs: threadpoolctl (3.6 and 3.8)
# locks the dynamic linker and then waits for the GIL, while a thread that imports a
# compiled module holds the GIL and waits for the linker.
_BLAS = threadpoolctl.ThreadpoolController()


class IntegerContext:
    """Prior and context networks of a model.

    See docs/architecture.md#four-step-context-model.

    Args:
      params: parameters of `FourStepContext`, flat, as from `fixed_point.quantize`.
      skip_threshold: symbols with a smaller scale are not coded.

    Raises:
      ValueError: the parameters do not allow exact arithmetic.
    """

    def __init__(self, params: Mapping[str, np.ndarray], skip_threshold: float):
        params = fp.checked(params)
        self.prior_vector = params.pop("prior_vector")
        self.layers: dict[str, dict[str, Any]] = {}
        for path, value in params.items():
            layer, _, name = path.rpartition("/")
            self.layers.setdefault(layer, {})[name] = value
        blocks = {layer.partition("/")[0] for layer in self.layers}
        num_spatial = sum(name.startswith("spatial_") for name in blocks)
        self.spatial = tuple(f"spatial_{i}" for i in range(num_spatial))
        self.skip_threshold = skip_threshold
        self._small_prior = functools.lru_cache(maxsize=64)(self._small_prior)

    def of_image(self, rate: Number, grid: tuple[int, int]) -> "ImageContext":
        """The context model of one latent of `grid` = (height, width) cells."""
        return ImageContext(self, rate, grid)

    def block(
        self, name: str, x: Float[np.ndarray, "h w C"]
    ) -> Float[np.ndarray, "h w D"]:
        """`DepthConvBlock` `name`."""
        layers = self.layers
        h = fp.leaky_relu(fp.dense(layers[f"{name}/conv_in"], x), 0.01)
        h = fp.depthwise_conv(layers[f"{name}/depth_conv"], h)
        h = fp.dense(layers[f"{name}/conv_out"], h)
        if f"{name}/adaptor" in layers:
            x = fp.dense(layers[f"{name}/adaptor"], x)
        x = fp.add(x, h)
        cells = x.reshape(-1, x.shape[-1])
        for start in range(0, len(cells), _CHUNK):
            chunk = cells[start : start + _CHUNK]
            wide = fp.dense(layers[f"{name}/ffn_in"], chunk)
            u, v = np.split(wide, 2, axis=-1)
            h = fp.add(fp.leaky_relu(u, 0.1), fp.leaky_relu(v, 0.01))
            chunk[:] = fp.add(chunk, fp.dense(layers[f"{name}/ffn_out"], h))
        return cells.reshape(x.shape)

    def prior(
        self, rate: Number, grid: tuple[int, int]
    ) -> tuple[Float[np.ndarray, "h w M"], Float[np.ndarray, "h w N"]]:
        """(step, scales and means of part 0; features common to all later parts).

        Every cell starts from the same vector, so that cells differ only by their
        distance to the nearest borders: all cells beyond the reach of the filters are
        computed as one cell of a smaller grid.
        """
        kernels = [self.layers[f"{name}/depth_conv"]["kernel"] for name in _PRIOR]
        reach = sum(len(kernel) // 2 for kernel in kernels)
        small = tuple(min(side, 2 * reach + 1) for side in grid)
        cells = np.ix_(*(_nearest(side, reach) for side in grid))
        x, common = self._small_prior(rate, small)
        return x[cells], common[cells]

    def _small_prior(
        self, rate: Number, grid: tuple[int, ...]
    ) -> tuple[Float[np.ndarray, "h w M"], Float[np.ndarray, "h w N"]]:
        """The prior on the reduced grid; cached for the next image."""
        vector = self._vector(rate)
        x = np.broadcast_to(vector, (*grid, len(vector)))
        with _one_thread:
            for name in _PRIOR:
                x = self.block(name, x)
            return x, fp.dense(self.layers["reduction"], x)

    def _vector(self, rate: Number) -> Float[np.ndarray, "N"]:
        """The prior vector of a rate, between those of two rate points."""
        point, steps = divmod(int(rate * STEPS), STEPS)
        vector = self.prior_vector[point]
        if steps:
            rise = self.prior_vector[point + 1] - vector
            vector = vector + np.floor(rise * steps / STEPS + 0.5)
        return vector


class ImageContext:
    """`latent_coding.ContextModel` of one image.

    Attributes:
      quant_step: width of a quantisation step at every position, at least 0.5: a
        multiple of 1/`fixed_point.ONE`, exact in float32.
      skip_threshold: symbols with a smaller scale are not coded.
    """

    def __init__(self, model: IntegerContext, rate: Number, grid: tuple[int, int]):
        self._model = model
        x, self._common = model.prior(rate, grid)
        step, self._scales, self._means = np.split(x, 3, axis=-1)
        self._masks = part_masks(*step.shape)
        step = np.maximum(step, fp.ONE // 2)
        self.quant_step = (step / fp.ONE).astype(np.float32)
        self.skip_threshold = model.skip_threshold

    def step(
        self, part: int, decoded: Float[np.ndarray, "h w N"]
    ) -> tuple[Float[np.ndarray, "h w N"], Float[np.ndarray, "h w N"]]:
        """Scales and means of a part, zero outside it, given all earlier parts.

        Arguments and results are fixed-point numbers.
        """
        if part == 0:
            scales, means = self._scales, self._means
        else:
            x = np.concatenate([fp.saturate(decoded), self._common], axis=-1)
            with _one_thread:
                for name in (f"adaptor_{part}", *self._model.spatial):
                    x = self._model.block(name, x)
            scales, means = np.split(x, 2, axis=-1)
        mask = self._masks[part]
        return scales * mask, means * mask


def _nearest(side: int, reach: int) -> Int[np.ndarray, "side"]:
    """Index of the cell of the reduced grid that is as far from the nearest border."""
    cells = np.arange(side)
    left_out = max(side - 2 * reach - 1, 0)
    return np.maximum(np.minimum(cells, reach), cells - left_out)


class _OneThread:
    """Limits matrix products to one thread while any thread is in the block.

    The products are small, and threads would wait for each other after each product:
    beside other work (a compilation, another image) ten times slower.
    """

    def __init__(self):
        self._lock, self._inside, self._limit = threading.Lock(), 0, None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._limit = _BLAS.limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *exc_info: Any) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limit.restore_original_limits()


_one_thread = _OneThread()
