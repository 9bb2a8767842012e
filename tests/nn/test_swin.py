"""Swin blocks against a slow reference that visits every pair of cells."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.nn.swin import SwinGroup, WindowAttention
from dlf_jax.ops.windows import shift_masks
from tests.random_params import random_params

WINDOW, HEAD, WIDTH = 4, 4, 8


def reference_attention(params, x, shifted, relative):
    """Window attention by docs/architecture.md#swin-groups, a query at a time."""
    params = jax.tree.map(np.asarray, params)
    _, height, width, channels = x.shape
    shift = WINDOW // 2 if shifted else 0
    qkv = x @ params["qkv"]["kernel"]
    q, k, v = np.split(qkv, 3, axis=-1)
    out = np.zeros_like(x)
    for image, r, c in np.ndindex(x.shape[:3]):
        # Position after the cyclic shift, window, and cell in the window.
        row, col = (r - shift) % height, (c - shift) % width
        tops = row - row % WINDOW, col - col % WINDOW
        query = WINDOW * (row % WINDOW) + col % WINDOW
        keys = [
            ((tops[0] + i + shift) % height, (tops[1] + j + shift) % width)
            for i, j in np.ndindex(WINDOW, WINDOW)
        ]
        bias = np.zeros(WINDOW**2)
        for key, (i, j) in enumerate(np.ndindex(WINDOW, WINDOW)):
            if relative:
                offset = i - row % WINDOW + WINDOW - 1, j - col % WINDOW + WINDOW - 1
                bias[key] = params["positions"][offset]
            else:
                bias[key] = params["positions"][query, key]
        if shifted and tops[0] == height - WINDOW:
            bias += params["upper_lower_mask"][query]
        if shifted and tops[1] == width - WINDOW:
            bias += params["left_right_mask"][query]
        for first in range(0, channels, HEAD):
            head = slice(first, first + HEAD)
            scores = np.array(
                [q[image, r, c, head] @ k[(image, *p)][head] for p in keys]
            )
            scores = scores * HEAD**-0.5 + bias
            weights = np.exp(scores - scores.max())
            weights /= weights.sum()
            for weight, p in zip(weights, keys, strict=True):
                out[image, r, c, head] += weight * v[(image, *p)][head]
    return out @ params["out"]["kernel"] + params["out"]["bias"]


@pytest.mark.parametrize("size", [(8, 12), (4, 4)], ids=["2x3 windows", "1 window"])
@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("relative", [False, True])
def test_window_attention(size, shifted, relative):
    x = np.random.default_rng(1).normal(size=(1, *size, WIDTH)).astype(np.float32)
    module = WindowAttention(WINDOW, HEAD, shifted=shifted, relative=relative)
    params = random_params(module, jnp.asarray(x))
    out = jax.jit(module.apply)({"params": params}, jnp.asarray(x))
    expected = reference_attention(params, x, shifted, relative)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)


def test_masks_start_as_constructed():
    x = jnp.zeros((1, 8, 8, WIDTH))
    module = WindowAttention(WINDOW, HEAD, shifted=True, relative=False)
    params = jax.jit(module.init)(jax.random.key(0), x)["params"]
    upper_lower, left_right = shift_masks(WINDOW)
    np.testing.assert_array_equal(params["upper_lower_mask"], upper_lower)
    np.testing.assert_array_equal(params["left_right_mask"], left_right)


def test_one_shifted_window_attends_within_its_quarters(normal):
    """With a single window both masks apply: only cells of one quarter mix."""
    module = WindowAttention(WINDOW, HEAD, shifted=True, relative=True)
    x = normal(1, WINDOW, WINDOW, WIDTH)
    params = random_params(module, x)

    @jax.jit
    @jax.grad
    def gradient(x):
        return jnp.sum(module.apply({"params": params}, x)[0, 0, 0])

    seen = np.abs(gradient(x)).sum((0, 3)) > 0
    expected = np.zeros((WINDOW, WINDOW), bool)
    expected[:2, :2] = True
    np.testing.assert_array_equal(seen, expected)


def test_gradient_of_masks_is_finite_and_reaches_allowed_pairs(normal):
    module = WindowAttention(WINDOW, HEAD, shifted=True, relative=False)
    x = normal(1, WINDOW, WINDOW, WIDTH)
    params = random_params(module, x)

    def loss(params):
        return jnp.sum(jnp.square(module.apply({"params": params}, x)))

    gradient = jax.jit(jax.grad(loss))(params)
    for name, mask in zip(
        ("upper_lower_mask", "left_right_mask"), shift_masks(WINDOW), strict=True
    ):
        assert bool(jnp.isfinite(gradient[name]).all())
        assert bool(jnp.all(gradient[name][np.isneginf(mask)] == 0))
        assert bool(jnp.any(gradient[name] != 0))


def test_group_shifts_odd_blocks_and_only_the_first_is_relative():
    x = jnp.zeros((1, 8, 8, WIDTH))
    module = SwinGroup(4, WINDOW, HEAD)
    params = jax.eval_shape(module.init, jax.random.key(0), x)["params"]
    for i in range(4):
        attention = params[f"block_{i}"]["attention"]
        assert attention["positions"].shape == ((7, 7) if i == 0 else (16, 16))
        assert ("upper_lower_mask" in attention) == (i % 2 == 1)
