"""LPIPS v0.1: learned perceptual image patch similarity."""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from dlf_jax.perceptual.backbone import Backbone
from dlf_jax.typing import Array, Float


class LPIPS(nn.Module):
    """LPIPS v0.1, without dropout.

    The gradient flows into `recon` only.  `image` is a constant, whose features cost
    only a forward pass.

    Attributes:
        net: feature network, torchvision's AlexNet or VGG16.
        channel_divisor: every channel count is divided by this.  Pre-trained weights
            exist for 1 only.

    Reference: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a
    Perceptual Metric", CVPR 2018; docs/architecture.md#image-loss.
    """

    net: Literal["alex", "vgg"] = "vgg"
    channel_divisor: int = 1

    def setup(self) -> None:
        self.backbone = Backbone(self.net, self.channel_divisor)
        nn.share_scope(self, self.backbone)
        count = len(self.backbone.tap_channels)
        self.heads = [_Head(name=f"head_{i}") for i in range(count)]

    def __call__(
        self, image: Float[Array, "B H W 3"], recon: Float[Array, "B H W 3"]
    ) -> Float[Array, "B"]:
        """Distance of each pair.

        Args:
            image: reference in [-1, 1]; sides of at least 16 pixels (32 for AlexNet).
            recon: reconstruction, same range and shape.

        Returns:
            Non-negative distances, 0 for identical images.
        """
        wanted = self.features(jax.lax.stop_gradient(image))
        return self.compare(wanted, self.features(recon))

    def features(self, image: Float[Array, "B H W 3"]) -> list[Array]:
        """Activations of unit length over channels, for `compare`."""
        return [_unit_length(x) for x in self.backbone(image)]

    def compare(self, wanted: list[Array], found: list[Array]) -> Float[Array, "B"]:
        """Distance of each pair, from the features of both."""
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
