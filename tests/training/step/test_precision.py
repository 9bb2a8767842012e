"""Which parameters a step computes with in bfloat16, and what stays in float32."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from dlf_jax.models.dlf import DLF
from dlf_jax.models.vqgan import VQGAN
from dlf_jax.paths import flatten
from dlf_jax.training.step.precision import compute_params


@pytest.fixture(scope="module")
def params(tiny_config):
    """Shapes of all parameters of the codec and its VQGAN."""
    image = jnp.zeros((1, 16, 16, 3))

    def everything(model):
        model(image, jnp.zeros(1, jnp.int32))
        model.vqgan(image)

    init = partial(DLF(tiny_config).init, method=everything)
    return jax.eval_shape(init, jax.random.key(0))["params"]


def _reduced(params):
    return jax.eval_shape(lambda p: compute_params(p, "bfloat16"), params)


@pytest.mark.parametrize(
    ("path", "dtype"),
    [
        ("encoder/semantic/trunk/block_0/mlp/up/kernel", jnp.bfloat16),
        ("encoder/semantic/trunk/block_0/norm_mlp/scale", jnp.float32),
        ("encoder/semantic/trunk/norm_in/bias", jnp.float32),
        ("encoder/semantic/conv_out/kernel", jnp.float32),
        ("encoder/patch_embed/kernel", jnp.bfloat16),
        ("encoder/stage_0/convnext_0/conv/kernel", jnp.float32),
        ("encoder/stage_0/convnext_0/up/kernel", jnp.bfloat16),
        ("encoder/stage_0/cross/detail_norm/bias", jnp.float32),
        ("analysis/block_0/depth_conv/kernel", jnp.float32),
        ("analysis/block_3/ffn_out/kernel", jnp.float32),
        ("context/reduction/kernel", jnp.float32),
        ("fusion/head_hidden/kernel", jnp.bfloat16),
        ("fusion/head_out/kernel", jnp.float32),
        ("tokens/embedding", jnp.float32),
        ("vqgan/encoder/downsample_0/conv/kernel", jnp.bfloat16),
        ("vqgan/decoder/level_0/block_0/norm_1/scale", jnp.float32),
        ("vqgan/decoder/conv_out/kernel", jnp.float32),
    ],
)
def test_table(params, path, dtype):
    assert flatten(_reduced(params))[path].dtype == dtype


def test_most_of_the_network_is_reduced(params):
    leaves = flatten(_reduced(params))
    kernels = [x.dtype == jnp.bfloat16 for p, x in leaves.items() if "kernel" in p]
    assert sum(kernels) > 0.7 * len(kernels)


def test_float32_is_left_alone(params):
    assert compute_params(params, "float32") is params


def test_entropy_model_quantisers_and_losses_get_float32(params, tiny_config):
    """Nothing that reaches a loss or a symbol has been rounded to eight bits."""

    def outputs(params, image):
        variables = {"params": params}
        rate, noise = jnp.zeros(1, jnp.int32), jnp.zeros((1, 2, 2, 4))
        model = DLF(tiny_config)
        out = model.apply(variables, image, rate, noise)
        analysis = model.apply(variables, image, rate, method="analyze")
        recon = model.apply(variables, out.latent, method="reconstruct")
        vqgan = {"params": params["vqgan"]}
        vq = VQGAN(tiny_config.vqgan).apply(vqgan, image).vq
        return jax.tree.leaves((out, analysis.y, recon, vq))

    image = jnp.zeros((1, 16, 16, 3))
    found = jax.eval_shape(outputs, _reduced(params), image)
    types = {x.dtype.name for x in found}
    assert types == {"float32", "int32"}


def test_gradients_are_float32():
    params = {"fusion": {"merge_out": {"kernel": jnp.ones((2, 2))}}}

    def loss(params):
        kernel = compute_params(params, "bfloat16")["fusion"]["merge_out"]["kernel"]
        assert kernel.dtype == jnp.bfloat16
        return jnp.sum(kernel.astype(jnp.float32) ** 2)

    (gradient,) = jax.tree.leaves(jax.grad(loss)(params))
    assert gradient.dtype == jnp.float32
