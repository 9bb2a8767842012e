"""LPIPS against a NumPy/SciPy reference, and against published numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy.signal import correlate

from dlf_jax.errors import UserError
from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.perceptual.weights import load_lpips_params

_POOLS = {"alex": {1: 3, 2: 3}, "vgg": {2: 2, 4: 2, 7: 2, 10: 2}}
_TAPS = {"alex": (0, 1, 2, 3, 4), "vgg": (1, 3, 6, 9, 12)}


def _images(seed, size, batch=2):
    rng = np.random.default_rng(seed)
    shape = (2, batch, size, size, 3)
    return jnp.asarray(rng.uniform(-1, 1, shape), jnp.float32)


def _conv(x, kernel, bias, stride, pad):
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    maps = [
        correlate(x, kernel[..., o], mode="valid")[::stride, ::stride, 0] + bias[o]
        for o in range(kernel.shape[-1])
    ]
    return np.stack(maps, axis=-1)


def _max_pool(x, window):
    views = np.lib.stride_tricks.sliding_window_view(x, (window, window), axis=(0, 1))
    return views[::2, ::2].max(axis=(-2, -1))


def _reference(net, params, image, recon):
    """Distance of one pair, straight from the definition, in float64."""

    def features(x):
        shift, scale = [-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]
        x = (np.asarray(x, np.float64) - shift) / scale
        taps = []
        for i in range(sum(name.startswith("conv") for name in params)):
            if i in _POOLS[net]:
                x = _max_pool(x, _POOLS[net][i])
            kernel = np.asarray(params[f"conv_{i}"]["kernel"], np.float64)
            alex_pad = {11: 2, 5: 2, 3: 1}[kernel.shape[0]]
            stride = 4 if kernel.shape[0] == 11 else 1
            bias = np.asarray(params[f"conv_{i}"]["bias"])
            x = np.maximum(_conv(x, kernel, bias, stride, alex_pad), 0)
            if i in _TAPS[net]:
                norm = np.sqrt(np.sum(x**2, axis=-1, keepdims=True))
                taps.append(x / (norm + 1e-10))
        return taps

    pairs = zip(features(image), features(recon), strict=True)
    return sum(
        np.mean((a - b) ** 2 @ np.asarray(params[f"head_{i}"]["scale"]))
        for i, (a, b) in enumerate(pairs)
    )


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_matches_the_definition(net):
    model = LPIPS(net, channel_divisor=32)
    image, recon = _images(0, 48)
    params = jax.jit(model.init)(jax.random.key(0), image, recon)["params"]
    params = jax.tree.map(lambda p: p + 0.1 * jnp.ones_like(p), params)
    found = jax.jit(model.apply)({"params": params}, image, recon)
    wanted = [_reference(net, params, a, b) for a, b in zip(image, recon, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=2e-5)


def test_identical_images_have_distance_zero_and_finite_gradient():
    model = LPIPS("vgg", channel_divisor=32)
    image = _images(1, 32)[0].at[:, :16].set(0.0)
    params = jax.jit(model.init)(jax.random.key(0), image, image)
    distance = jax.jit(
        jax.value_and_grad(lambda recon: model.apply(params, image, recon).sum())
    )
    value, grad = distance(image)
    assert value == pytest.approx(0.0, abs=1e-9)
    assert np.isfinite(grad).all()


def test_gradient_flows_into_the_reconstruction_only():
    model = LPIPS("alex", channel_divisor=32)
    image, recon = _images(2, 64)
    params = jax.jit(model.init)(jax.random.key(0), image, recon)
    gradients = jax.grad(lambda a, b: model.apply(params, a, b).sum(), argnums=(0, 1))
    d_image, d_recon = jax.jit(gradients)(image, recon)
    assert np.abs(d_image).max() == 0.0
    assert np.abs(d_recon).max() > 0.0


@pytest.mark.parity
@pytest.mark.parametrize(
    ("net", "wanted"), [("alex", (0.7219, 0.1376)), ("vgg", (0.5686, 0.4217))]
)
def test_published_distances(net, wanted, parity):
    try:
        params = load_lpips_params(net)
    except UserError as error:
        pytest.skip(str(error))

    def load(name):
        pixels = np.asarray(Image.open(parity / "lpips" / name).convert("RGB"))
        return jnp.asarray(pixels[None], jnp.float32) / 127.5 - 1

    reference = load("ex_ref.png")
    distance = jax.jit(LPIPS(net).apply)
    for name, value in zip(("ex_p0.png", "ex_p1.png"), wanted, strict=True):
        found = distance({"params": params}, reference, load(name))
        assert float(found[0]) == pytest.approx(value, abs=1e-4)


@pytest.mark.parity
def test_reduced_vgg_matches_the_reference_implementation(parity):
    with np.load(parity / "tiny_a" / "params.npz") as file:
        state = {name: file[name] for name in file if "perceptual" in name}
    prefix = "img_loss.perceptual_loss."
    slices = ["1.0", "1.2", "2.5", "2.7", "3.10", "3.12", "3.14", "4.17", "4.19"]
    slices += ["4.21", "5.24", "5.26", "5.28"]
    params = {
        f"conv_{i}": {
            "kernel": state[f"{prefix}net.slice{s}.weight"].transpose(2, 3, 1, 0),
            "bias": state[f"{prefix}net.slice{s}.bias"],
        }
        for i, s in enumerate(slices)
    }
    for i in range(5):
        head = state[f"{prefix}lin{i}.model.1.weight"]
        params[f"head_{i}"] = {"scale": head.reshape(-1)}
    with np.load(parity / "tiny_a" / "inputs.npz") as file:
        pixels = file["B"].astype(np.float32)
    with np.load(parity / "tiny_a" / "vqgan_disc_lpips.npz") as file:
        wanted = file["lpips.T_vs_hflip"].reshape(-1)
    image = jnp.concatenate(jnp.split(pixels / 255 * 2 - 1, 2, axis=2))
    divisor = 64 // params["conv_0"]["bias"].size
    distance = jax.jit(LPIPS("vgg", divisor).apply)
    found = distance({"params": params}, image, image[:, :, ::-1])
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
