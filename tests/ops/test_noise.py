import jax
import numpy as np
import pytest

from dlf_jax.ops.noise import drawn_noise, fixed_noise


@pytest.mark.parametrize(
    "noise",
    [drawn_noise(jax.random.key(0), (1, 64, 48, 8)), fixed_noise(64, 48, 8)],
    ids=["drawn", "fixed"],
)
def test_noise_is_white_and_uniform_with_unit_variance(noise):
    noise = np.asarray(noise)
    assert noise.shape == (1, 64, 48, 8)
    count, _ = np.histogram(noise, 16, (-(3**0.5), 3**0.5))
    assert count.sum() == noise.size
    np.testing.assert_allclose(count, noise.size / 16, rtol=0.1)
    np.testing.assert_allclose([noise.mean(), noise.std()], [0, 1], atol=0.02)
    spectrum = np.abs(np.fft.fftn(noise[0])) ** 2 / noise.size
    assert spectrum.max() < 20  # of an exponential distribution with mean 1


def test_fixed_noise_does_not_depend_on_the_size():
    large = fixed_noise(9, 7, 5)
    np.testing.assert_array_equal(fixed_noise(4, 6, 3), large[:, :4, :6, :3])


def test_values_of_fixed_noise():
    """Files decode alike for ever only if these numbers never change."""
    found = np.asarray(fixed_noise(2, 2, 2)).ravel()
    expected = [
        *(-1.73205081, -0.63185622, -1.08341134, 0.46726778),
        *(-0.55358324, -0.70268387, -0.29466702, 0.10125238),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
