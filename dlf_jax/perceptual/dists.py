"""DISTS: deep image structure and texture similarity, on features of VGG16."""

import flax.linen as nn
import jax.numpy as jnp

from dlf_jax.perceptual.backbone import Backbone
from dlf_jax.typing import Array, Float

_STABILITY = 1e-6


class DISTS(nn.Module):
    """DISTS: one minus the weighted mean of texture and structure similarities.

    Texture compares means, structure compares covariances, in six feature maps; the
    first feature map is the image itself.

    Attributes:
        channel_divisor: every channel count is divided by this.  Pre-trained weights
            exist for 1 only.

    Reference: Ding, Ma, Wang, Simoncelli, "Image Quality Assessment: Unifying Structure
    and Texture Similarity", TPAMI 2020; docs/architecture.md#evaluation-metrics.
    """

    channel_divisor: int = 1

    def setup(self) -> None:
        self.backbone = Backbone("vgg", self.channel_divisor, pooling="l2")
        nn.share_scope(self, self.backbone)
        channels = (3 + sum(self.backbone.tap_channels),)
        self.alpha = self.param("alpha", nn.initializers.ones, channels)
        self.beta = self.param("beta", nn.initializers.ones, channels)

    def __call__(
        self, image: Float[Array, "B H W 3"], recon: Float[Array, "B H W 3"]
    ) -> Float[Array, "B"]:
        """Distance of each pair, 0 for identical images.

        Args:
            image, recon: in [-1, 1]; sides of at least 16 pixels.
        """
        return self.compare(self.features(image), self.features(recon))

    def features(self, image: Float[Array, "B H W 3"]) -> list[Array]:
        """Six feature maps of an image in [-1, 1], for `compare`."""
        return [(image + 1) / 2, *self.backbone(image)]

    def compare(self, wanted: list[Array], found: list[Array]) -> Float[Array, "B"]:
        """Distance of each pair, from the features of both."""
        terms = [_similarities(x, y) for x, y in zip(wanted, found, strict=True)]
        means, covariances = (
            jnp.concatenate(t, axis=-1) for t in zip(*terms, strict=True)
        )
        total = jnp.sum(self.alpha + self.beta)
        return 1 - (means @ self.alpha + covariances @ self.beta) / total


def _similarities(
    x: Float[Array, "B H W C"], y: Float[Array, "B H W C"]
) -> tuple[Float[Array, "B C"], Float[Array, "B C"]]:
    """Texture and structure similarity of each channel, at most 1."""
    area = (1, 2)
    mean_x, mean_y = (jnp.mean(v, area, keepdims=True) for v in (x, y))
    variances = jnp.mean(jnp.square(x - mean_x), area) + jnp.mean(
        jnp.square(y - mean_y), area
    )
    covariance = jnp.mean((x - mean_x) * (y - mean_y), area)
    mean_x, mean_y = mean_x[:, 0, 0], mean_y[:, 0, 0]
    texture = (2 * mean_x * mean_y + _STABILITY) / (
        jnp.square(mean_x) + jnp.square(mean_y) + _STABILITY
    )
    return texture, (2 * covariance + _STABILITY) / (variances + _STABILITY)
