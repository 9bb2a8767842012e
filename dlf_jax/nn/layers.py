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
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dlf_jax.ops.links import with_neighbours
from dlf_jax.ops.sums import add_bias, multiply, normalize, sum_leading
from dlf_jax.typing import Array, Float

# Two-pass variance: E[x²]−E[x]² loses all digits where the variance is small.
GroupNorm = functools.partial(nn.GroupNorm, epsilon=1e-6, use_fast_variance=False)


class LayerNorm(nn.Module):
    """Normalisation over the last axis, parameters as in `nn.LayerNorm`."""

    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Float[Array, "*S C"]) -> Float[Array, "*S C"]:
        shape = (x.shape[-1],)
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        x = x.astype(jnp.promote_types(x.dtype, scale.dtype))
        return add_bias(multiply(normalize(x, self.epsilon), scale), bias)


def cell_or_group_norm(num_groups: int, name: str | None) -> nn.Module:
    """`GroupNorm`; for 0 groups, normalisation over the channels of each cell."""
    if num_groups:
        return GroupNorm(num_groups, name=name)
    return LayerNorm(epsilon=1e-6, name=name)


def gelu(x: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """The exact GELU by erf; by erfc, as in Flax, it takes twice as long on CPUs."""
    return 0.5 * x * (1.0 + jax.lax.erf(x * 2.0**-0.5))


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
            rows = add_bias(rows, self._bias())
        return rows.reshape(*lead, self.features)

    def _bias(self) -> Float[Array, "D"]:
        return self.param("bias", nn.initializers.zeros, (self.features,))


def dense(x: Float[Array, "*S C"], features: int, name: str) -> Float[Array, "*S D"]:
    """A linear map of the last axis, applied in place: a 1x1 convolution."""
    return Dense(features, name=name)(x)


class Conv(nn.Module):
    """A convolution with bias, parameters as in `nn.Conv`.

    Attributes:
      features: channels of the result.
      kernel_size: rows and columns of the kernel.
      strides: of both axes.
      padding: zeros on every side, or those before and after each axis.
    """

    features: int
    kernel_size: tuple[int, int]
    strides: int = 1
    padding: int | Sequence[tuple[int, int]] = 0
    kernel_init: Callable = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H2 W2 D"]:
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        sides = self.padding
        if isinstance(sides, int):
            sides = 2 * ((sides, sides),)
        x, sides = with_neighbours(x.astype(kernel.dtype), tuple(sides))
        maps = jax.lax.conv_general_dilated(
            x,
            kernel,
            window_strides=2 * (self.strides,),
            padding=sides,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return add_bias(maps, bias)


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
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        reach = self.size // 2
        x, left = with_neighbours(x.astype(kernel.dtype), 2 * ((reach, reach),))
        x = _depthwise(x, kernel)
        if not any(left[0]):
            x = x[:, reach : reach + height, reach : reach + width]
        return add_bias(x, bias)


@jax.custom_vjp
def _depthwise(
    x: Float[Array, "B H W C"], kernel: Float[Array, "K K 1 C"]
) -> Float[Array, "B H W C"]:
    size = len(kernel)
    taps = zip(_shifted(x, size), kernel.reshape(size * size, -1), strict=True)
    return sum(shifted * tap for shifted, tap in taps)


def _depthwise_gradient(saved: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    x, kernel = saved
    # Otherwise the loop that makes g would be computed anew for every tap.
    g = jax.lax.optimization_barrier(g)
    taps = [sum_leading(g * shifted) for shifted in _shifted(x, len(kernel))]
    return _depthwise(g, kernel[::-1, ::-1]), jnp.stack(taps).reshape(kernel.shape)


_depthwise.defvjp(
    lambda x, kernel: (_depthwise(x, kernel), (x, kernel)), _depthwise_gradient
)


def _shifted(x: Float[Array, "B H W C"], size: int) -> list[Float[Array, "B H W C"]]:
    """The map that each tap of a filter sees, with zeros outside."""
    _, height, width, _ = x.shape
    sides = 2 * (size // 2,)
    x = jnp.pad(x, ((0, 0), sides, sides, (0, 0)))
    return [
        x[:, row : row + height, col : col + width]
        for row, col in np.ndindex(size, size)
    ]
