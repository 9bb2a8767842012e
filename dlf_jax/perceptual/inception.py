"""InceptionV3 of FID, for weights that the user supplies."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from dlf_jax.typing import Array, Float

_SIDE = 299


class InceptionV3(nn.Module):
    """InceptionV3 of TensorFlow (2015); batch normalisation is folded into the kernels.

    Differences from torchvision's network: average pooling excludes padding, and the
    last block has max pooling.

    Reference: Szegedy et al., "Rethinking the Inception Architecture for Computer
    Vision", CVPR 2016; Heusel et al., "GANs Trained by a Two Time-Scale Update Rule
    Converge to a Local Nash Equilibrium", NeurIPS 2017.
    """

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3"]) -> Float[Array, "B 2048"]:
        """Pool3 features.

        Args:
            image: values in 0..255, of any size; resized to 299x299 (bilinear, corners
                not aligned, no antialiasing).
        """
        shape = (image.shape[0], _SIDE, _SIDE, 3)
        x = jax.image.resize(image, shape, "bilinear", antialias=False)
        x = (x - 128) / 128
        x = _conv(x, 32, 3, "Conv2d_1a_3x3", stride=2)
        x = _conv(x, 32, 3, "Conv2d_2a_3x3")
        x = _conv(x, 64, 3, "Conv2d_2b_3x3", padding=1)
        x = nn.max_pool(x, (3, 3), strides=(2, 2))
        x = _conv(x, 80, 1, "Conv2d_3b_1x1")
        x = _conv(x, 192, 3, "Conv2d_4a_3x3")
        x = nn.max_pool(x, (3, 3), strides=(2, 2))
        for name, channels in (("5b", 32), ("5c", 64), ("5d", 64)):
            x = _block_35(x, channels, f"Mixed_{name}")
        x = _reduce_35(x, "Mixed_6a")
        for name, width in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
            x = _block_17(x, width, f"Mixed_{name}")
        x = _reduce_17(x, "Mixed_7a")
        x = _block_8(x, _mean_pool, "Mixed_7b")
        x = _block_8(x, _max_pool, "Mixed_7c")
        return jnp.mean(x, axis=(1, 2))


def _block_35(x: Array, pool_channels: int, name: str) -> Array:
    five = _conv(x, 48, 1, f"{name}_branch5x5_1")
    five = _conv(five, 64, 5, f"{name}_branch5x5_2", padding=2)
    three = _conv(x, 64, 1, f"{name}_branch3x3dbl_1")
    three = _conv(three, 96, 3, f"{name}_branch3x3dbl_2", padding=1)
    three = _conv(three, 96, 3, f"{name}_branch3x3dbl_3", padding=1)
    pooled = _conv(_mean_pool(x), pool_channels, 1, f"{name}_branch_pool")
    return _join(_conv(x, 64, 1, f"{name}_branch1x1"), five, three, pooled)


def _reduce_35(x: Array, name: str) -> Array:
    double = _conv(x, 64, 1, f"{name}_branch3x3dbl_1")
    double = _conv(double, 96, 3, f"{name}_branch3x3dbl_2", padding=1)
    double = _conv(double, 96, 3, f"{name}_branch3x3dbl_3", stride=2)
    single = _conv(x, 384, 3, f"{name}_branch3x3", stride=2)
    return _join(single, double, nn.max_pool(x, (3, 3), strides=(2, 2)))


def _block_17(x: Array, width: int, name: str) -> Array:
    seven = _conv(x, width, 1, f"{name}_branch7x7_1")
    seven = _conv(seven, width, (1, 7), f"{name}_branch7x7_2", padding=(0, 3))
    seven = _conv(seven, 192, (7, 1), f"{name}_branch7x7_3", padding=(3, 0))
    double = _conv(x, width, 1, f"{name}_branch7x7dbl_1")
    double = _conv(double, width, (7, 1), f"{name}_branch7x7dbl_2", padding=(3, 0))
    double = _conv(double, width, (1, 7), f"{name}_branch7x7dbl_3", padding=(0, 3))
    double = _conv(double, width, (7, 1), f"{name}_branch7x7dbl_4", padding=(3, 0))
    double = _conv(double, 192, (1, 7), f"{name}_branch7x7dbl_5", padding=(0, 3))
    pooled = _conv(_mean_pool(x), 192, 1, f"{name}_branch_pool")
    return _join(_conv(x, 192, 1, f"{name}_branch1x1"), seven, double, pooled)


def _reduce_17(x: Array, name: str) -> Array:
    three = _conv(x, 192, 1, f"{name}_branch3x3_1")
    three = _conv(three, 320, 3, f"{name}_branch3x3_2", stride=2)
    seven = _conv(x, 192, 1, f"{name}_branch7x7x3_1")
    seven = _conv(seven, 192, (1, 7), f"{name}_branch7x7x3_2", padding=(0, 3))
    seven = _conv(seven, 192, (7, 1), f"{name}_branch7x7x3_3", padding=(3, 0))
    seven = _conv(seven, 192, 3, f"{name}_branch7x7x3_4", stride=2)
    return _join(three, seven, nn.max_pool(x, (3, 3), strides=(2, 2)))


def _block_8(x: Array, pool, name: str) -> Array:
    three = _conv(x, 384, 1, f"{name}_branch3x3_1")
    three = _fork(three, f"{name}_branch3x3_2")
    double = _conv(x, 448, 1, f"{name}_branch3x3dbl_1")
    double = _conv(double, 384, 3, f"{name}_branch3x3dbl_2", padding=1)
    double = _fork(double, f"{name}_branch3x3dbl_3")
    pooled = _conv(pool(x), 192, 1, f"{name}_branch_pool")
    return _join(_conv(x, 320, 1, f"{name}_branch1x1"), three, double, pooled)


def _fork(x: Array, name: str) -> Array:
    across = _conv(x, 384, (1, 3), f"{name}a", padding=(0, 1))
    down = _conv(x, 384, (3, 1), f"{name}b", padding=(1, 0))
    return _join(across, down)


def _conv(
    x: Array,
    channels: int,
    kernel: int | tuple[int, int],
    name: str,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
) -> Array:
    kernel, padding = (v if isinstance(v, tuple) else (v, v) for v in (kernel, padding))
    sides = [(p, p) for p in padding]
    return nn.relu(nn.Conv(channels, kernel, stride, sides, name=name)(x))


def _mean_pool(x: Array) -> Array:
    return nn.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)


def _max_pool(x: Array) -> Array:
    return nn.max_pool(x, (3, 3), padding="SAME")


def _join(*parts: Array) -> Array:
    return jnp.concatenate(parts, axis=-1)
