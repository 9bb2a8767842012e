"""Feature networks for distribution distances."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.compilation import compiler_options
from dlf_jax.perceptual.efficientnet import EfficientNetLite0
from dlf_jax.perceptual.inception import InceptionV3
from dlf_jax.perceptual.weights import load_efficientnet_params, load_inception_params
from dlf_jax.typing import Float, UInt8

_BATCH = 16


@dataclasses.dataclass(frozen=True)
class FeatureNetwork:
    """Frozen feature network, with the names of its distances.

    Attributes:
      frechet, kernel: names of the two distances.
      width: number of features, D.
      function: maps uint8 batches (16, H, W, 3) to features (16, D).
    """

    frechet: str
    kernel: str
    width: int
    function: Callable

    def __call__(
        self, images: UInt8[np.ndarray, "N H W 3"]
    ) -> Float[np.ndarray, "N D"]:
        """Computes the features of any number of images of one size."""
        found = [np.empty((0, self.width), np.float32)]
        for start in range(0, len(images), _BATCH):
            batch = images[start : start + _BATCH]
            missing = _BATCH - len(batch)
            full = np.pad(batch, ((0, missing), (0, 0), (0, 0), (0, 0)))
            found.append(np.asarray(self.function(full))[: len(batch)])
        return np.concatenate(found)


def feature_network(inception: Path | None = None) -> FeatureNetwork:
    """Loads InceptionV3 if its weights are given, EfficientNet-Lite0 otherwise.

    Args:
      inception: see `dlf_jax.perceptual.weights.load_inception_params`.

    Raises:
      UserError: weights are missing, wrong, or cannot be fetched.
    """
    if inception is not None:
        params = load_inception_params(inception)
        return FeatureNetwork("FID", "KID", 2048, _compiled(InceptionV3(), params))
    params = load_efficientnet_params()
    names = "Fréchet EfficientNet-Lite0", "kernel EfficientNet-Lite0"
    return FeatureNetwork(*names, 1280, _compiled(EfficientNetLite0(), params))


def _compiled(network: nn.Module, params: dict) -> Callable:
    params = jax.tree.map(jnp.asarray, params)
    apply = jax.jit(
        lambda p, x: network.apply({"params": p}, x.astype(jnp.float32)),
        compiler_options=compiler_options(jax.default_backend()),
    )
    return lambda images: apply(params, images)
