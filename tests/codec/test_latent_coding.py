"""The four steps on the host, with a context model made of NumPy."""

import numpy as np

from dlf_jax.codec.latent_coding import decode_latent, encode_latent
from dlf_jax.entropy_coding.fixed_point import ONE
from dlf_jax.entropy_coding.partition import part_masks
from dlf_jax.entropy_coding.range_coder import Decoder, Encoder
from dlf_jax.entropy_coding.symbol_coder import MAX_SYMBOL
from tests.entropy_coding.streams import GAUSSIANS


class HandContext:
    """Means that depend on what is decoded; records what it is shown."""

    skip_threshold = 0.12

    def __init__(self, shape, scale=3.0):
        self.quant_step = np.full(shape[1:], 0.5, np.float32)
        self.scale = scale
        self.seen = []

    def step(self, part, decoded):
        self.seen.append(decoded)
        mask = part_masks(*decoded.shape)[part]
        means = 0.25 * ONE + np.rint(0.125 * decoded.mean(-1, keepdims=True))
        scales = np.full(decoded.shape, self.scale * ONE)
        return scales * mask, means * mask


def run(y, **kwargs):
    encoder = Encoder(GAUSSIANS)
    context = HandContext(y.shape, **kwargs)
    symbols, y_hat = encode_latent(y, context, encoder)
    return symbols, y_hat, context, encoder.finish()


def latent(shape=(1, 3, 5, 8), spread=4.0):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32) * spread


def test_decoder_sees_the_same_states_and_symbols():
    y = latent()
    symbols, y_hat, context, data = run(y)
    decoding = HandContext(y.shape)
    found, found_y_hat = decode_latent(decoding, Decoder(data, GAUSSIANS))
    np.testing.assert_array_equal(found, symbols)
    np.testing.assert_array_equal(found_y_hat, y_hat)
    np.testing.assert_array_equal(decoding.seen, context.seen)


def test_error_is_at_most_half_a_step():
    y = latent()
    _, y_hat, _, _ = run(y)
    assert np.abs(y_hat - y).max() <= 0.25 + 1e-5


def test_parts_see_only_earlier_parts():
    y = latent()
    _, _, context, _ = run(y)
    masks = part_masks(*y.shape[1:])
    for part, decoded in enumerate(context.seen):
        earlier = masks[:part].any(0) if part else np.zeros(y.shape[1:], bool)
        assert not decoded[~earlier].any()
        assert decoded[earlier].all()


def test_skipped_positions_hold_their_mean():
    y = latent()
    symbols, y_hat, _, data = run(y, scale=0.11)
    assert data == b""
    assert not symbols.any()
    first = part_masks(*y.shape[1:])[0]
    np.testing.assert_allclose(y_hat[0][first], 0.125)


def test_order_of_the_file_is_channel_major():
    """Literal case: 2x2 cells and one channel a group, so a part is 4 symbols."""
    y = np.zeros((1, 2, 2, 4), np.float32)
    # In part 0 cell (r, c) codes channel 2r + c, whose mean is 0.25.
    for value, (row, column) in enumerate(np.ndindex(2, 2)):
        y[0, row, column, 2 * row + column] = 0.5 * (value + 0.25)
    symbols, _, _, _ = run(y)
    assert symbols[0].tolist() == [0, 1, 2, 3]
    y = np.zeros((1, 1, 2, 8), np.float32)
    y[0, 0, :, :] = 0.5 * 0.25
    y[0, 0, 0, :2] += [0.5, 1.0]  # group 0 is active at the first cell,
    y[0, 0, 1, 2:4] += [1.5, 2.0]  # group 1 at the second
    symbols, _, _, _ = run(y)
    assert symbols[0].tolist() == [1, 3, 2, 4]


def test_enormous_values_are_clipped_on_both_sides():
    y = latent(spread=1e6)
    symbols, y_hat, _, data = run(y)
    assert np.abs(symbols).max() == MAX_SYMBOL
    found, found_y_hat = decode_latent(HandContext(y.shape), Decoder(data, GAUSSIANS))
    np.testing.assert_array_equal(found, symbols)
    np.testing.assert_array_equal(found_y_hat, y_hat)
