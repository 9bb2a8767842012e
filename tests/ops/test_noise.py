import numpy as np

from dlf_jax.ops.links import positions
from dlf_jax.ops.noise import fixed_noise


def test_fixed_noise_is_white_and_uniform():
    noise = np.asarray(fixed_noise(*positions(64, 48), 8))
    assert noise.shape == (1, 64, 48, 8)
    count, _ = np.histogram(noise, 16, (-0.5, 0.5))
    assert count.sum() == noise.size
    np.testing.assert_allclose(count, noise.size / 16, rtol=0.1)
    spectrum = np.abs(np.fft.fftn(noise[0])) ** 2 / (noise.size * noise.var())
    assert spectrum.max() < 20  # of an exponential distribution with mean 1


def test_fixed_noise_does_not_depend_on_the_size():
    large = fixed_noise(*positions(9, 7), 5)
    np.testing.assert_array_equal(
        fixed_noise(*positions(4, 6), 3), large[:, :4, :6, :3]
    )


def test_values_of_fixed_noise():
    """Files decode alike for ever only if these numbers never change."""

    def scramble(x):
        x = (x ^ x >> 16) * 0x85EBCA6B % 2**32
        x = (x ^ x >> 13) * 0xC2B2AE35 % 2**32
        return x ^ x >> 16

    found = fixed_noise(*positions(2, 3), 2)
    for (_, row, column, channel), value in np.ndenumerate(found):
        hashed = scramble(scramble(scramble(row) + column) + channel)
        assert value == (hashed >> 8) / 2**24 - 0.5
    np.testing.assert_allclose(found[0, 1, 1], [-0.08506304, 0.02922904], rtol=1e-6)
