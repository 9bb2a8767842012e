import functools

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.models.dlf import SemanticTokenizer
from dlf_jax.models.titok import SemanticDecoder, SemanticEncoder, legacy_token_reshape


def test_tokens_are_reinterpreted_not_transposed():
    # Two items of two tokens of width 3.
    tokens = jnp.arange(12.0).reshape(2, 2, 3)
    np.testing.assert_array_equal(
        legacy_token_reshape(tokens)[0], [[0, 1], [2, 3], [4, 5]]
    )
    np.testing.assert_array_equal(
        legacy_token_reshape(tokens)[1], [[6, 7], [8, 9], [10, 11]]
    )


def _difference(module, params, inputs, changed):
    """Where embeddings differ, [T, positions]."""
    embed = jax.jit(functools.partial(module.apply, params, method="embed"))
    return jnp.abs(embed(changed) - embed(inputs)).sum(-1)


def test_sequence_is_class_cells_tokens(config, variables):
    module = SemanticEncoder(config)
    params = {"params": variables["params"]["encoder"]["semantic"]}
    cells = jnp.ones((2, 16, config.encoder.width))
    changed = cells.at[0, 5, 0].add(1.0)

    difference = _difference(module, params, cells, changed)
    assert difference.shape == (2, 1 + 16 + config.num_tokens)
    np.testing.assert_array_equal(np.argwhere(difference), [[0, 6]])


def test_decoder_sees_codes_in_its_last_tokens_only(config, variables):
    module = SemanticDecoder(config)
    params = {"params": variables["params"]["decoder"]["semantic"]}
    codes = jnp.zeros((2, config.num_tokens, config.token_width))
    changed = codes.at[1, 2, 0].add(1.0)

    difference = _difference(module, params, codes, changed)
    np.testing.assert_array_equal(np.argwhere(difference), [[1, 1 + 16 + 2]])


def test_fresh_tokens_differ_between_images_and_are_seen_by_the_decoder(config):
    images = jax.random.uniform(jax.random.key(0), (2, 16, 16, 3), minval=-1)
    tokenizer = SemanticTokenizer(config)

    @jax.jit
    def run(images):
        params = tokenizer.init(jax.random.key(1), images)
        return tokenizer.apply(params, images)

    out = run(images)
    vectors = out.tokens.inputs
    assert np.min(np.linalg.norm(vectors[0] - vectors[1], axis=-1)) > 0.01
    assert np.max(np.abs(out.logits[0] - out.logits[1])) > 1e-3


def test_encoder_reads_tokens_and_decoder_reads_cells(config, variables):
    for module, name, shape in (
        (SemanticEncoder(config), "encoder", (config.num_tokens, config.token_width)),
        (SemanticDecoder(config), "decoder", (16, config.decoder.width)),
    ):
        params = {"params": variables["params"][name]["semantic"]}
        width = getattr(config, name).width
        seq = jnp.ones((2, 1 + 16 + config.num_tokens, width))
        out = jax.eval_shape(
            functools.partial(module.apply, method="readout"), params, seq
        )
        assert out.shape == (2, *shape)
