"""FLOPs of programs and peaks of devices."""

import jax
import jax.numpy as jnp
import pytest

from dlf_jax.training.utilization import peak_flops, step_flops, utilization


def test_flops_of_a_matrix_product():
    product = jax.jit(jnp.matmul).lower(jnp.ones((8, 32)), jnp.ones((32, 16)))
    assert step_flops(product.compile()) == 2 * 8 * 32 * 16
    assert step_flops(product.compile(), num_parts=3) == 3 * 2 * 8 * 32 * 16


@pytest.mark.parametrize(
    ("kind", "peak"),
    [
        ("TPU v4", 275e12),
        ("TPU v5 lite", 197e12),
        ("TPU v5", 459e12),
        ("TPU v5p", 459e12),
        ("TPU v6 lite", 918e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA GeForce RTX 3090", None),
        ("cpu", None),
    ],
)
def test_peaks(kind, peak):
    assert peak_flops(kind) == peak


def test_utilization_is_the_share_of_the_peak():
    assert utilization(197e12, 4.0, "TPU v5 lite") == {"mfu": 0.25}
    assert utilization(197e12, 4.0, "cpu") == {}
    assert utilization(None, 4.0, "TPU v5 lite") == {}
