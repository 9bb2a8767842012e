"""Blocks that are computed again in the backward pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.nn.convnext import ConvNeXtBlock
from dlf_jax.nn.remat import recompute_blocks
from dlf_jax.nn.resnet import ResBlock
from dlf_jax.nn.swin import SwinBlock
from dlf_jax.nn.transformer import TransformerBlock

_MAP, _SEQUENCE = (1, 4, 4, 8), (1, 5, 8)


def _init(module, x):
    """Parameters; a new function, so that every call is traced."""
    return jax.jit(lambda: module.init(jax.random.key(1), x))()


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (TransformerBlock(2), _SEQUENCE),
        (SwinBlock(4, 4, shifted=True, relative=False), _MAP),
        (ConvNeXtBlock(), _MAP),
        (ResBlock(8, 2), _MAP),
    ],
)
def test_only_what_is_kept_differs(module, shape):
    x = jax.random.normal(jax.random.key(0), shape)
    params = _init(module, x)
    noise = jax.tree.map(
        lambda p: p + 0.1 * jnp.cos(jnp.arange(p.size)).reshape(p.shape), params
    )

    def gradient(active):
        def loss(params, x):
            with recompute_blocks(active):
                return jnp.sum(module.apply(params, x) ** 2)

        program = jax.make_jaxpr(jax.grad(loss))(noise, x)
        return str(program), jax.jit(jax.grad(loss))(noise, x)

    (plain, expected), (recomputed, found) = gradient(False), gradient(True)
    assert "remat" not in plain and "remat" in recomputed
    with recompute_blocks():
        fresh = _init(module, x)
    jax.tree.map(np.testing.assert_array_equal, fresh, params)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
