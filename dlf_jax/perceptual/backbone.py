"""ImageNet feature networks of LPIPS and DISTS: AlexNet and VGG16."""

from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float

# Mean and standard deviation of ImageNet, for values in [-1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


class _Conv(NamedTuple):
    """A convolution with the pooling in front."""

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    pool: int = 0  # window of the stride-2 pooling in front, 0 for none
    tap: bool = False  # its activations are returned


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


class Backbone(nn.Module):
    """Convolutional layers of torchvision's AlexNet or VGG16.

    Attributes:
        net: the network.
        channel_divisor: every channel count is divided by this.  Pre-trained weights
            exist for 1 only.
        pooling: pooling between stages; "l2" replaces max pooling by `l2_pool`.
    """

    net: Literal["alex", "vgg"] = "vgg"
    channel_divisor: int = 1
    pooling: Literal["max", "l2"] = "max"

    @property
    def tap_channels(self) -> list[int]:
        """Channels of the activations that a call returns."""
        layers = [layer for layer in _NETWORKS[self.net] if layer.tap]
        return [layer.channels // self.channel_divisor for layer in layers]

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3"]) -> list[Float[Array, "B h w C"]]:
        """Activations of every tapped layer, the finest first.

        Args:
            image: in [-1, 1]; sides of at least 16 pixels (32 for AlexNet).
        """
        x = (image - jnp.asarray(_SHIFT)) / jnp.asarray(_SCALE)
        taps = []
        for i, layer in enumerate(_NETWORKS[self.net]):
            if layer.pool and self.pooling == "l2":
                x = l2_pool(x)
            elif layer.pool:
                x = nn.max_pool(x, (layer.pool, layer.pool), strides=(2, 2))
            x = nn.Conv(
                layer.channels // self.channel_divisor,
                (layer.kernel, layer.kernel),
                strides=layer.stride,
                padding=layer.padding,
                name=f"conv_{i}",
            )(x)
            x = nn.relu(x)
            if layer.tap:
                taps.append(x)
        return taps


def l2_pool(x: Float[Array, "B H W C"]) -> Float[Array, "B h w C"]:
    """L2 pooling with 3x3 Hann windows and stride 2.

    The image is padded with zeros; a side of n becomes (n + 1) // 2.

    Reference: Hénaff and Simoncelli, "Geodesics of learned representations", ICLR 2016.
    """
    power = jnp.square(x)
    # Sums of slices, because depthwise convolutions are slow on CPUs.
    for axis in (1, 2):
        size = -(-x.shape[axis] // 2)
        widths = [(0, 0)] * 4
        widths[axis] = (1, 1 + x.shape[axis] % 2)
        padded = jnp.pad(power, widths)
        first, middle, last = (
            jax.lax.slice_in_dim(padded, start, start + 2 * size - 1, 2, axis)
            for start in range(3)
        )
        power = (first + 2 * middle + last) / 4
    return jnp.sqrt(power + 1e-12)
