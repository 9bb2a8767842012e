"""Kernels in 8 bits."""

import numpy as np
import pytest

from dlf_jax.checkpoints import int8
from dlf_jax.checkpoints.arrays import in_memory


def narrow(path, kernel):
    arrays = int8.narrow(path, in_memory({path: kernel})[path])
    return {name: array.read() for name, array in arrays.items()}


def test_every_channel_has_its_scale():
    kernel = np.array([[1.27, 0.0, -508.0], [-0.5, 0.0, 6.0]], np.float32)
    stored = narrow("a/kernel", kernel)
    assert stored["a/kernel"].dtype == np.int8
    assert stored["a/kernel"].tolist() == [[127, 0, -127], [-50, 0, 2]]
    np.testing.assert_allclose(stored["a/kernel_scale"], [0.01, 0.0, 4.0])
    widened = int8.widen({k: v.astype(np.float32) for k, v in stored.items()})
    assert set(widened) == {"a/kernel"}
    np.testing.assert_allclose(
        widened["a/kernel"], [[1.27, 0.0, -508.0], [-0.5, 0.0, 8.0]], rtol=1e-6
    )


@pytest.mark.parametrize("shape", [(64, 100), (3, 3, 16, 40)])
def test_error_is_half_a_step_and_rounding_again_changes_nothing(shape):
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    once = narrow("a/kernel", kernel)
    widened = int8.widen({k: v.astype(np.float32) for k, v in once.items()})["a/kernel"]
    step = np.abs(kernel).reshape(-1, shape[-1]).max(0) / 127
    assert (np.abs(widened - kernel) <= 0.5001 * step).all()
    assert np.abs(widened - kernel).max() > 0.4 * step.min()
    again = narrow("a/kernel", widened)
    np.testing.assert_array_equal(again["a/kernel"], once["a/kernel"])


def test_only_large_kernels_are_narrowed():
    assert int8.is_narrowed("decoder/out/kernel", 4096)
    assert not int8.is_narrowed("decoder/out/kernel", 4095)
    assert not int8.is_narrowed("tokens/embedding", 8192)
    assert not int8.is_narrowed("decoder/out/bias", 8192)


@pytest.mark.parametrize(
    "arrays",
    [
        {"a/kernel_scale": np.ones(3, np.float32)},
        {"a/kernel": np.ones((2, 4), np.float32), "a/kernel_scale": np.ones(3)},
    ],
)
def test_scales_that_fit_no_kernel_are_refused(arrays):
    with pytest.raises(ValueError, match="does not belong to a kernel"):
        int8.widen(arrays)
