import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.nn.vector_quantizer import VectorQuantizer


@pytest.fixture(params=[False, True], ids=["euclidean", "normalised"])
def quantizer(request):
    return VectorQuantizer(16, 4, normalize=request.param)


@pytest.fixture
def inputs(normal):
    return normal(2, 5, 4)


def test_returns_the_nearest_codes(quantizer, inputs):
    variables = jax.jit(quantizer.init)(jax.random.key(0), inputs)
    codebook, x = np.asarray(variables["params"]["embedding"]), np.asarray(inputs)
    if quantizer.normalize:
        codebook = codebook / np.linalg.norm(codebook, axis=-1, keepdims=True)
        x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    out = quantizer.apply(variables, inputs)
    distance = ((x[..., None, :] - codebook) ** 2).sum(-1)
    np.testing.assert_array_equal(out.indices, distance.argmin(-1))
    np.testing.assert_allclose(out.codes, codebook[out.indices], rtol=1e-5)
    np.testing.assert_allclose(out.quantized, out.codes, atol=1e-6)
    np.testing.assert_allclose(
        out.codebook_loss, ((x - codebook[out.indices]) ** 2).mean(), rtol=1e-4
    )
    np.testing.assert_allclose(
        quantizer.apply(variables, out.indices, method="lookup"), out.codes
    )


def test_each_loss_moves_one_side(quantizer, inputs):
    variables = jax.jit(quantizer.init)(jax.random.key(0), inputs)

    def gradients(name):
        def loss(variables, x):
            return getattr(quantizer.apply(variables, x), name)

        codebook, x = jax.grad(loss, argnums=(0, 1))(variables, inputs)
        return bool(jnp.any(codebook["params"]["embedding"] != 0)), bool(
            jnp.any(x != 0)
        )

    assert gradients("codebook_loss") == (True, False)
    assert gradients("commitment_loss") == (False, True)


def test_gradient_goes_straight_through(normal):
    quantizer = VectorQuantizer(16, 4)
    x = normal(2, 5, 4)
    variables = jax.jit(quantizer.init)(jax.random.key(0), x)
    weights = normal(*x.shape)

    def loss(x):
        return jnp.sum(weights * quantizer.apply(variables, x).quantized)

    np.testing.assert_array_equal(jax.grad(loss)(x), weights)
