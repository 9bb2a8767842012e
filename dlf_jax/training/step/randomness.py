"""Random numbers of a step, one row for every image.

They are drawn for a whole batch at once, so that neither the mesh nor gradient
accumulation changes them.
"""

import jax
import jax.numpy as jnp
from flax import struct

from dlf_jax.typing import Array, Bool, Float, Int


@struct.dataclass
class StepRandomness:
    """Random numbers for a batch; None for those that a stage does not use.

    Attributes:
      rate: rate point.
      noise: uniform noise in place of the rounding of symbols.
      cells: upper left corner of the decoded square, in cells.
      crops: upper left corner of the square that LPIPS-VGG and DISTS compare, in pixels
        of the decoded square.
      texture: noise that the VQGAN's decoder shapes into texture.
      continuous: whether the image skips the quantiser of the VQGAN.
    """

    rate: Int[Array, "B"] | None = None
    noise: Float[Array, "B h w N"] | None = None
    cells: Int[Array, "B 2"] | None = None
    crops: Int[Array, "B 2"] | None = None
    texture: Float[Array, "B H W T"] | None = None
    continuous: Bool[Array, "B"] | None = None


def uniform_noise(key: Array, shape: tuple[int, ...]) -> Float[Array, "*S"]:
    """Draws numbers that are uniform in ±½."""
    return jax.random.uniform(key, shape, minval=-0.5, maxval=0.5)


def balanced_rates(key: Array, batch: int, num_rates: int) -> Int[Array, "B"]:
    """Draws the rate index of every image: each uniform, all evenly spread."""
    order, start = jax.random.split(key)
    rates = jnp.arange(batch) + jax.random.randint(start, (), 0, num_rates)
    return jax.random.permutation(order, rates % num_rates)


def square_corners(
    key: Array, batch: int, sides: tuple[int, int], size: int
) -> Int[Array, "B 2"]:
    """Draws the upper left corner of a square in every map, uniform over all inside.

    Args:
      key: PRNG key.
      batch: number of maps.
      sides: height and width of the maps.
      size: side of the squares; corners are 0 where the square covers the map.
    """
    room = jnp.maximum(jnp.array(sides) - size, 0)
    return jax.random.randint(key, (batch, 2), 0, room + 1)
