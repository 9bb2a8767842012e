"""MS-SSIM against scikit-image, a second implementation, and its bounds."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import convolve2d
from skimage.metrics import structural_similarity

from dlf_jax.metrics.msssim import MIN_SIDE, ms_ssim, ssim_terms


def photo(height, width, seed=0):
    """Smooth random colours, and a noisy copy."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((-(-height // 16), -(-width // 16), 3)) * 200
    image = np.kron(coarse, np.ones((16, 16, 1)))[:height, :width]
    noisy = image + rng.normal(size=image.shape) * 20
    return image.astype(np.uint8), np.clip(noisy, 0, 255).astype(np.uint8)


def reference_ms_ssim(image, recon):
    """The definition, channel by channel, with two-dimensional windows in float64."""
    taps = np.exp(-((np.arange(11) - 5.0) ** 2) / 4.5)
    window = np.outer(taps, taps) / taps.sum() ** 2
    results = []
    for x, y in zip(image.T / 255.0, recon.T / 255.0, strict=True):
        result = 1.0
        for weight in (0.0448, 0.2856, 0.3001, 0.2363, 0.1333):
            means = [
                convolve2d(v, window, "valid") for v in (x, y, x * x, y * y, x * y)
            ]
            mx, my, xx, yy, xy = means
            c = (2 * (xy - mx * my) + 9e-4) / (xx - mx**2 + yy - my**2 + 9e-4)
            s = c * (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
            result *= max((s if weight == 0.1333 else c).mean(), 0) ** weight
            x, y = (
                np.pad(v, ((v.shape[0] % 2, 0), (v.shape[1] % 2, 0))) for v in (x, y)
            )
            x, y = (
                (v[::2, ::2] + v[1::2, ::2] + v[::2, 1::2] + v[1::2, 1::2]) / 4
                for v in (x, y)
            )
        results.append(result)
    return np.mean(results)


def test_one_scale_equals_scikit_image():
    image, recon = photo(40, 52)
    x, y = np.float32(image) / 255, np.float32(recon) / 255
    _, full = structural_similarity(
        x,
        y,
        data_range=1.0,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    similarity, _ = ssim_terms(jnp.asarray(x)[None], jnp.asarray(y)[None])
    want = full[5:-5, 5:-5].mean((0, 1))
    np.testing.assert_allclose(similarity[0], want, atol=1e-5)


def test_equals_the_definition():
    pairs = [photo(176, 203, seed) for seed in range(2)]
    found = ms_ssim(*map(np.stack, zip(*pairs, strict=True)))
    want = [reference_ms_ssim(*pair) for pair in pairs]
    np.testing.assert_allclose(found, want, atol=2e-5)


def test_the_smallest_images():
    assert MIN_SIDE == 161
    image, recon = photo(161, 161)
    found = ms_ssim(image[None], recon[None])
    np.testing.assert_allclose(found, reference_ms_ssim(image, recon), atol=2e-5)


def test_equal_images_score_one_and_opposite_ones_zero():
    image, _ = photo(176, 203)
    pair = np.stack([image, image])
    score = ms_ssim(pair, np.stack([image, 255 - image]))
    assert score[0] == pytest.approx(1, abs=1e-6)
    assert score[1] < 0.01
