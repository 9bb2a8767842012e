"""PatchGAN discriminator: a real-or-fake logit for every overlapping patch."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from dlf_jax.typing import Array, Float

_MOMENTUM = 0.1  # weight of a batch in the running statistics
_SLOPE = 0.2

_kernel_init = nn.initializers.normal(0.02)


class PatchDiscriminator(nn.Module):
    """Four or more 4x4 convolutions; one logit for each 70x70 patch by default.

    With `train`, batch normalisation uses the statistics of the batch and updates the
    running statistics (collection "batch_stats"); otherwise it uses the running
    statistics.

    Attributes:
      channels: output channels of the first layer, doubled by every further layer.
      norm_images: number of consecutive images that are normalised together, such as
        those of one device; 0 for the whole batch, over all devices.
      num_strided: number of layers of stride 2; two layers of stride 1 follow.

    Reference: Isola et al., "Image-to-Image Translation with Conditional Adversarial
    Networks", CVPR 2017; docs/architecture.md#image-loss.
    """

    channels: int = 64
    norm_images: int = 0
    num_strided: int = 3

    @nn.compact
    def __call__(
        self, image: Float[Array, "B H W 3"], *, train: bool
    ) -> Float[Array, "B h w 1"]:
        """Logits, larger for images that look real; 256 pixels give 30 logits a side.

        Args:
          image: in [-1, 1]; with the default layers, sides of at least 32 pixels.
          train: normalise with the statistics of the batch.
        """
        x = nn.leaky_relu(_conv(image, self.channels, 2, "conv_0"), _SLOPE)
        for i in range(1, self.num_strided + 1):
            stride = 2 if i < self.num_strided else 1
            features = self.channels * 2**i
            x = _conv(x, features, stride, f"conv_{i}", use_bias=False)
            norm = _BatchNorm(self.norm_images, name=f"norm_{i}")
            x = nn.leaky_relu(norm(x, train=train), _SLOPE)
        return _conv(x, 1, 1, "conv_out")


def _conv(x: Array, features: int, stride: int, name: str, **kwargs) -> Array:
    return nn.Conv(
        features,
        (4, 4),
        strides=stride,
        padding=1,
        kernel_init=_kernel_init,
        name=name,
        **kwargs,
    )(x)


class _BatchNorm(nn.Module):
    """Batch normalisation with the unbiased running variance of PyTorch.

    Attributes:
      num_images: images that are normalised together; 0 for the whole batch.  The
        running statistics follow the mean over these groups.
    """

    num_images: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "B H W C"], *, train: bool
    ) -> Float[Array, "B H W C"]:
        shape = x.shape[-1:]

        def near_one(key: Array) -> Float[Array, "C"]:
            return 1.0 + 0.02 * jax.random.normal(key, shape)

        scale = self.param("scale", near_one)
        bias = self.param("bias", nn.initializers.zeros, shape)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        running_var = self.variable("batch_stats", "var", jnp.ones, shape)
        mean, var = running_mean.value, running_var.value
        fresh = self.is_initializing()
        together = len(x) if fresh else self.num_images or len(x)
        groups = x.reshape(-1, together, *x.shape[1:])
        if train:
            axes = (1, 2, 3)
            mean = jnp.mean(groups, axes, keepdims=True)
            var = jnp.var(groups, axes, keepdims=True)
            if not fresh:
                count = groups[0, ..., 0].size
                unbiased = jnp.mean(var, axis=0).ravel() * count / (count - 1)
                moved = jnp.mean(mean, axis=0).ravel() - running_mean.value
                running_mean.value += _MOMENTUM * moved
                running_var.value += _MOMENTUM * (unbiased - running_var.value)
        normal = (groups - mean) * jax.lax.rsqrt(var + 1e-5)
        return normal.reshape(x.shape) * scale + bias
