import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.ops.sums import (
    add_bias,
    multiply,
    normalize,
    softmax,
    sum_last,
    sum_leading,
)


def _plain_normalize(x):
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    return centred / jnp.sqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + 1e-3)


@pytest.mark.parametrize(
    ("ours", "plain", "shapes"),
    [
        (sum_leading, lambda x: x.sum((0, 1)), [(3, 5, 4)]),
        (sum_last, lambda x: x.sum(-1, keepdims=True), [(3, 5, 4)]),
        (add_bias, lambda x, b: x + b, [(3, 5, 4), (4,)]),
        (multiply, lambda x, s: x * s, [(3, 5, 4), (4,)]),
        (lambda x: normalize(x, 1e-3), _plain_normalize, [(3, 5, 4)]),
        (softmax, jax.nn.softmax, [(3, 5, 4)]),
    ],
)
def test_values_and_gradients_are_those_of_the_definition(ours, plain, shapes):
    rng = np.random.default_rng(0)
    args = [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]
    (found, pull), (expected, plain_pull) = (jax.vjp(f, *args) for f in (ours, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    cotangent = jnp.asarray(rng.normal(size=expected.shape), jnp.float32)
    for a, b in zip(pull(cotangent), plain_pull(cotangent), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_softmax_of_forbidden_and_of_large_values():
    x = jnp.array([[-jnp.inf, 0.0, 1.0], [1e4, 1e4, -1e4]])
    weights, pull = jax.vjp(softmax, x)
    e = np.e
    expected = [[0, 1 / (1 + e), e / (1 + e)], [0.5, 0.5, 0]]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert np.isfinite(pull(jnp.ones_like(x))[0]).all()


def _lowered(function, platform):
    """The program for a platform; jax 0.5 keeps a case with a constant index."""
    traced = jax.jit(function).trace(jnp.ones((3, 4)))
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    if "stablehlo.case" in text:
        index = int(re.search(r"%c = stablehlo.constant dense<(\d)>", text)[1])
        text = text.split("stablehlo.case")[1].split("}, {")[index]
    return text


@pytest.mark.parametrize("function", [sum_leading, sum_last])
def test_only_cpus_sum_by_products(function):
    """Products have reduced precision by default on TPUs, sums do not."""
    assert "dot_general" in _lowered(function, "cpu")
    on_tpu = _lowered(function, "tpu")
    assert "dot_general" not in on_tpu and "stablehlo.reduce(" in on_tpu
