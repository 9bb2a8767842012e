"""FLOPs of programs and shares of the peaks of devices."""

import jax
import jax.numpy as jnp

from dlf_jax.training.devices.utilization import step_flops, utilization


def test_flops_of_a_matrix_product():
    product = jax.jit(jnp.matmul).lower(jnp.ones((8, 32)), jnp.ones((32, 16)))
    assert step_flops(product.compile()) == 2 * 8 * 32 * 16
    assert step_flops(product.compile(), num_parts=3) == 3 * 2 * 8 * 32 * 16


def test_utilization_is_the_share_of_the_peak():
    assert utilization(197e12, 4.0, "TPU v5 lite") == {"mfu": 0.25}
    assert utilization(197e12, 4.0, "cpu") == {}
    assert utilization(None, 4.0, "TPU v5 lite") == {}
