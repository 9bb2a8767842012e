"""Primitives of the networks, with the constants of the official weights.

See docs/architecture.md#primitives.

Kernels are initialised as in Flax, with a variance of 1/fan-in, and biases with 0, so
that a signal keeps its size at any width.  The released networks use other constants
(docs/architecture.md#initialisation), which suit their widths and pre-trained parts: at
an eighth of the width, and from scratch, hardly any signal remains after a few layers.
The last layer of a residual branch is initialised with 0, except in the attention of
`TransformerBlock`: the initial network is then a short chain of linear maps, which
learns in tens of steps; random branches would delay learning by thousands of steps.

Linear maps and convolutions compute in the type of their kernel, normalisations in
float32: kernels in bfloat16 give a network in mixed precision.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dlf_jax.typing import Array, Float

# Two-pass variance: E[x²]−E[x]² loses all digits where the variance is small.
LayerNorm = functools.partial(nn.LayerNorm, epsilon=1e-5, use_fast_variance=False)
GroupNorm = functools.partial(nn.GroupNorm, epsilon=1e-6, use_fast_variance=False)


def cell_or_group_norm(num_groups: int, name: str | None) -> nn.Module:
    """`GroupNorm`; for 0 groups, normalisation over the channels of each cell."""
    if num_groups:
        return GroupNorm(num_groups, name=name)
    return LayerNorm(epsilon=1e-6, name=name)


gelu = functools.partial(nn.gelu, approximate=False)


class Dense(nn.Module):
    """A linear map of the last axis, parameters as in `nn.Dense`.

    Maps and sequences are reshaped to rows: on CPUs, XLA takes two to three times
    longer for the gradient of a product with more axes.
    """

    features: int
    use_bias: bool = True
    kernel_init: Callable = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Float[Array, "*S C"]) -> Float[Array, "*S D"]:
        *lead, width = x.shape
        kernel = self.param("kernel", self.kernel_init, (width, self.features))
        rows = x.reshape(-1, width).astype(kernel.dtype) @ kernel
        if self.use_bias:
            rows += self._bias()
        return rows.reshape(*lead, self.features)

    def _bias(self) -> Float[Array, "D"]:
        return self.param("bias", nn.initializers.zeros, (self.features,))


def dense(x: Float[Array, "*S C"], features: int, name: str) -> Float[Array, "*S D"]:
    """A linear map of the last axis, applied in place: a 1x1 convolution."""
    return Dense(features, name=name)(x)


def _in_type_of_kernel(
    x: Array, kernel: Array, bias: Array | None, **_: Any
) -> tuple[Array, Array, Array | None]:
    return x.astype(kernel.dtype), kernel, bias


Conv = functools.partial(nn.Conv, promote_dtype=_in_type_of_kernel)


def conv(
    x: Float[Array, "B H W C"], features: int, name: str, size: int = 3, **kwargs
) -> Float[Array, "B H2 W2 D"]:
    """A square convolution with bias; zero padding ``size // 2`` unless given."""
    kwargs = {"padding": size // 2, **kwargs}
    return Conv(features, (size, size), name=name, **kwargs)(x)


class DepthwiseConv(nn.Module):
    """One square filter a channel with bias, zero padding ``size // 2``.

    Computed as a sum of shifted maps, which XLA fuses into one loop; XLA's grouped
    convolutions, and above all their gradients, are several times slower on CPUs.

    Attributes:
      size: side of the filters, odd.
    """

    size: int

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        _, height, width, channels = x.shape
        shape = (self.size, self.size, 1, channels)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        out = self.param("bias", nn.initializers.zeros, (channels,))
        margin = self.size // 2
        x = jnp.pad(
            x.astype(kernel.dtype), ((0, 0), (margin, margin), (margin, margin), (0, 0))
        )
        for row, col in np.ndindex(self.size, self.size):
            shifted = x[:, row : row + height, col : col + width]
            out = out + shifted * kernel[row, col, 0]
        return out
