"""LPIPS and DISTS of 8-bit images with the published weights."""

import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.compilation import compiler_options
from dlf_jax.perceptual.dists import DISTS
from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.perceptual.weights import load_dists_params, load_lpips_params
from dlf_jax.typing import Array, Float, UInt8

Images = UInt8[Array | np.ndarray, "B H W 3"]


def lpips(
    image: Images, recon: Images, *, net: Literal["alex", "vgg"]
) -> Float[Array, "B"]:
    """LPIPS v0.1; 0 for equal images.

    Args:
      image, recon: images to compare, with sides of at least 32 pixels for "alex" and
        16 for "vgg".
      net: feature network.

    Raises:
      UserError: the weights are missing and cannot be fetched.

    Reference: docs/architecture.md#evaluation-metrics.
    """
    return _lpips(net)(image, recon)


def dists(image: Images, recon: Images) -> Float[Array, "B"]:
    """DISTS, which tolerates resampled texture; 0 for equal images.

    Args:
      image, recon: images to compare, sides of at least 16 pixels.

    Raises:
      UserError: the weights are missing and cannot be fetched.

    Reference: docs/architecture.md#evaluation-metrics.
    """
    return _dists()(image, recon)


@functools.cache
def _lpips(net: str) -> "_Distance":
    return _Distance(LPIPS(net), load_lpips_params(net))


@functools.cache
def _dists() -> "_Distance":
    return _Distance(DISTS(), load_dists_params())


class _Distance:
    """A compiled distance that caches the features of the last original.

    Comparing N reconstructions with one original therefore costs N + 1 passes, not 2N.

    Args:
      network: module with methods `features` and `compare`.
      params: parameters of the network.
    """

    def __init__(self, network: LPIPS | DISTS, params: dict[str, Any]):
        self._params = {"params": jax.tree.map(jnp.asarray, params)}
        compile_as = functools.partial(
            jax.jit, compiler_options=compiler_options(jax.default_backend())
        )
        self._features = compile_as(
            lambda p, x: network.apply(p, x / 127.5 - 1, method="features")
        )
        self._compare = compile_as(lambda *args: network.apply(*args, method="compare"))
        self._last: tuple[Any, list[Array]] = (np.empty(0), [])

    def __call__(self, image: Images, recon: Images) -> Float[Array, "B"]:
        if not np.array_equal(self._last[0], image):
            self._last = (image, self._features(self._params, image))
        found = self._features(self._params, recon)
        return self._compare(self._params, self._last[1], found)
