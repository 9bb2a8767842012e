import jax.numpy as jnp
import numpy as np

from dlf_jax.ops.attention import multi_head_attention


def test_matches_the_definition():
    rng = np.random.default_rng(0)
    qkv = rng.normal(size=(2, 5, 3 * 6))
    bias = rng.normal(size=(5, 5))
    bias[0, 3] = -np.inf
    expected = np.zeros((2, 5, 6))
    q, k, v = np.split(qkv, 3, axis=-1)
    for item, head, query in np.ndindex(2, 3, 5):
        part = slice(2 * head, 2 * head + 2)
        scores = k[item, :, part] @ q[item, query, part] / np.sqrt(2) + bias[query]
        weights = np.exp(scores - scores.max())
        expected[item, query, part] = weights @ v[item, :, part] / weights.sum()
    out = multi_head_attention(
        jnp.asarray(qkv, jnp.float32), 3, jnp.asarray(bias, jnp.float32)
    )
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)


def test_forbidden_pairs_have_no_influence():
    rng = np.random.default_rng(1)
    qkv = rng.normal(size=(4, 12)).astype(np.float32)
    bias = jnp.array([[0.0, 0.0, -jnp.inf, -jnp.inf]] * 4)
    out = multi_head_attention(jnp.asarray(qkv), 2, bias)
    changed = qkv.copy()
    changed[2:, 4:] += 10  # keys and values of tokens that nobody may see
    np.testing.assert_array_equal(
        multi_head_attention(jnp.asarray(changed), 2, bias), out
    )


def test_a_single_token_returns_its_value():
    qkv = jnp.asarray(np.random.default_rng(2).normal(size=(3, 1, 12)), jnp.float32)
    np.testing.assert_allclose(multi_head_attention(qkv, 4), qkv[..., 8:], rtol=1e-6)
