import jax.numpy as jnp
import numpy as np

from dlf_jax.ops.pixels import to_signed, to_uint8


def test_levels_come_back():
    levels = jnp.arange(256, dtype=jnp.uint8)
    signed = to_signed(levels)
    assert signed.dtype == jnp.float32
    np.testing.assert_array_equal(to_uint8(signed), levels)


def test_literal_values():
    np.testing.assert_allclose(to_signed(jnp.uint8([0, 51, 255])), [-1.0, -0.6, 1.0])
    # Halfway between two levels, even and odd: up. Outside: the nearest end.
    signed = jnp.array([0.5, 1.5, 254.5]) / 127.5 - 1.0
    np.testing.assert_array_equal(to_uint8(signed), [1, 2, 255])
    np.testing.assert_array_equal(to_uint8(jnp.array([-3.0, 7.0])), [0, 255])
