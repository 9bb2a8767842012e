"""Rates by hand."""

from dlf_jax.metrics.rate import bits_per_pixel


def test_bits_per_pixel():
    assert bits_per_pixel(512 * 768, 512, 768) == 8
    assert bits_per_pixel(14, 1, 1) == 112
