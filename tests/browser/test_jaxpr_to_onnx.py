"""Converted functions compute the same as jax, for every size of their inputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import export, lax

from dlf_jax.browser.onnx_graph import terms
from dlf_jax.nn.layers import DepthwiseConv, conv, gelu
from dlf_jax.nn.resnet import Upsample
from dlf_jax.nn.swin import SwinGroup
from dlf_jax.ops.attention import multi_head_attention
from dlf_jax.ops.links import positions
from dlf_jax.ops.noise import fixed_noise
from dlf_jax.ops.quantization import l2_normalize, nearest_code
from dlf_jax.ops.tiling import pixel_shuffle, pixel_unshuffle

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
convert = pytest.importorskip("dlf_jax.browser.jaxpr_to_onnx").convert

pytestmark = pytest.mark.usefixtures("symbolic_sizes")

_RNG = np.random.default_rng(0)
_CODES = _RNG.normal(size=(20, 6)).astype(np.float32)
# Shifts by half a window are less than a side.
_FACTS = [
    f"mod({shift}, 4*{side}) == {value}"
    for side in ("h", "w")
    for shift, value in ((2, 2), (-2, f"4*{side} - 2"))
]


def _module(module):
    """A function that applies a module of 6 channels with random parameters."""
    like, rng = jnp.zeros((1, 4, 4, 6)), np.random.default_rng(1)
    shapes = jax.eval_shape(module.init, jax.random.key(0), like)
    params = jax.tree.map(lambda s: jnp.float32(rng.normal(size=s.shape)), shapes)
    return lambda x: module.apply(params, x)


class _Convolutions(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = DepthwiseConv(5)(conv(x, 8, "a", strides=2, padding=((0, 1), (0, 1))))
        return Upsample()(x)


FUNCTIONS = {
    "convolutions": _module(_Convolutions()),
    "windows": _module(SwinGroup(2, window=4, head_width=3)),
    "shuffles": lambda x: pixel_unshuffle(pixel_shuffle(x[..., :4], 2), 4),
    "attention": lambda x: multi_head_attention(x.reshape(1, -1, 6), 2),
    "activations": lambda x: gelu(x) + nn.silu(x) * jnp.tanh(x) - nn.leaky_relu(x, 0.1),
    "softmax": lambda x: nn.softmax(10 * x) @ np.eye(6, 3, dtype=np.float32),
    "codes": lambda x: nearest_code(l2_normalize(x), _CODES),
    "lookup": lambda x: jnp.asarray(_CODES)[jnp.floor(x[..., 0] ** 2).astype(int)],
    "noise": lambda x: x + fixed_noise(*positions(*x.shape[1:3]), 6),
    "broadcast": lambda x: jnp.concatenate(
        [jnp.broadcast_to(x[:, :1], x.shape), x.max(axis=2, keepdims=True) * x], 1
    ),
    "integers": lambda x: lax.shift_right_logical(
        jnp.uint32(4_000_000_000) + jnp.uint32(x.shape[1]), jnp.uint32(3)
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_computes_the_same(name):
    function = FUNCTIONS[name]
    height, width = export.symbolic_shape("h, w", constraints=_FACTS)

    def of_tiles(x):
        rows, _, columns, _, channels = x.shape
        return function(x.reshape(1, 4 * rows, 4 * columns, channels))

    struct = jax.ShapeDtypeStruct((height, 4, width, 4, 6), np.float32)
    closed = jax.make_jaxpr(of_tiles)(struct)
    model = convert(closed, ["x"], {}, ["y"]).SerializeToString()
    session = onnxruntime.InferenceSession(model)
    for rows, columns in ((1, 1), (2, 3)):
        x = _RNG.normal(size=(rows, 4, columns, 4, 6)).astype(np.float32)
        (y,) = session.run(None, {"x": x})
        expected = np.asarray(of_tiles(x))
        assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
        largest = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(y, expected, atol=1e-5 * largest)


def test_a_primitive_without_a_rule_is_an_error():
    closed = jax.make_jaxpr(jnp.sin)(np.float32(1))
    with pytest.raises(NotImplementedError, match="sin"):
        convert(closed, ["x"], {}, ["y"])


def test_sizes_are_sums_of_products():
    assert terms("8*a*b - 4") == {("a", "b"): 8, (): -4}
    assert terms("-a + b") == {("a",): -1, ("b",): 1}
    with pytest.raises(ValueError, match="sum of products"):
        terms("mod(a, 2)")
