"""LPIPS v0.1: distance of two images in the feature space of a frozen network."""

from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


class _Conv(NamedTuple):
    """One convolution of a feature network and what surrounds it."""

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    pool: int = 0  # window of the stride-2 max-pool in front, 0 for none
    tap: bool = False  # its activations enter the distance


_NETWORKS = {
    "alex": (
        _Conv(64, kernel=11, stride=4, padding=2, tap=True),
        _Conv(192, kernel=5, padding=2, pool=3, tap=True),
        _Conv(384, pool=3, tap=True),
        _Conv(256, tap=True),
        _Conv(256, tap=True),
    ),
    "vgg": (
        _Conv(64),
        _Conv(64, tap=True),
        _Conv(128, pool=2),
        _Conv(128, tap=True),
        _Conv(256, pool=2),
        _Conv(256),
        _Conv(256, tap=True),
        _Conv(512, pool=2),
        _Conv(512),
        _Conv(512, tap=True),
        _Conv(512, pool=2),
        _Conv(512),
        _Conv(512, tap=True),
    ),
}


class LPIPS(nn.Module):
    """Learned perceptual distance, without dropout.

    The gradient flows into `recon` only; `image` is treated as a constant, so its
    features cost one forward pass.

    Attributes:
        net: feature network, torchvision's AlexNet or VGG16.
        channel_divisor: every channel count is divided by this.  Pre-trained weights
            exist for 1 only.

    Reference: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a
    Perceptual Metric", CVPR 2018; DLF, architecture spec §15.4.
    """

    net: Literal["alex", "vgg"] = "vgg"
    channel_divisor: int = 1

    def setup(self) -> None:
        self.layers = _NETWORKS[self.net]
        self.convs = [
            nn.Conv(
                layer.channels // self.channel_divisor,
                (layer.kernel, layer.kernel),
                strides=layer.stride,
                padding=layer.padding,
                name=f"conv_{i}",
            )
            for i, layer in enumerate(self.layers)
        ]
        self.heads = [
            _Head(name=f"head_{i}") for i in range(sum(c.tap for c in self.layers))
        ]

    def _features(self, image: Float[Array, "B H W 3"]) -> list[Array]:
        """Unit-length activations of every tapped layer."""
        x = (image - jnp.asarray(_SHIFT)) / jnp.asarray(_SCALE)
        taps = []
        for layer, conv in zip(self.layers, self.convs, strict=True):
            if layer.pool:
                x = nn.max_pool(x, (layer.pool, layer.pool), strides=(2, 2))
            x = nn.relu(conv(x))
            if layer.tap:
                taps.append(_unit_length(x))
        return taps

    def __call__(
        self, image: Float[Array, "B H W 3"], recon: Float[Array, "B H W 3"]
    ) -> Float[Array, "B"]:
        """Distance of each pair.

        Args:
            image: reference in [-1, 1]; sides of at least 16 pixels (32 for AlexNet).
            recon: compared image, same range and shape.

        Returns:
            Non-negative distances, 0 for identical images.
        """
        wanted = self._features(jax.lax.stop_gradient(image))
        found = self._features(recon)
        distances = [
            head(jnp.square(a - b))
            for head, a, b in zip(self.heads, wanted, found, strict=True)
        ]
        return jnp.sum(jnp.stack(distances), axis=0)


class _Head(nn.Module):
    """Spatial mean of the weighted sum over channels."""

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B"]:
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        return jnp.mean(x, axis=(1, 2)) @ scale


def _unit_length(x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
    """x / (norm over channels + 1e-10); the gradient is 0, not NaN, where x is 0."""
    squared = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
    zero = squared == 0.0
    norm = jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, squared)))
    return x / (norm + 1e-10)
