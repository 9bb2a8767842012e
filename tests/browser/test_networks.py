"""The networks in ONNX, run by onnxruntime, agree with jax."""

import numpy as np
import pytest

import dlf_jax
from dlf_jax.browser.networks import write_networks
from dlf_jax.browser.tables import write_tables
from dlf_jax.codec.codec import Codec
from tests.browser.onnx_networks import OnnxNetworks
from tests.pictures import noise

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("symbolic_sizes")


def compare(codec: Codec, networks: OnnxNetworks, image: np.ndarray, rate: int):
    """Asserts agreement; returns the numbers of differing tokens and symbols."""
    found, expected = networks.analyze(image), codec.network.analyze(image)
    np.testing.assert_allclose(
        found.latent(rate), expected.latent(rate), rtol=1e-4, atol=1e-3
    )
    _, code = codec.encode(image, rate)
    picture = codec.network.synthesize(code.tokens, code.y_hat, rate).astype(int)
    decoded = networks.synthesize(code.tokens, code.y_hat, rate)
    assert np.abs(decoded - picture).max() <= 2
    analyze, codec.network.analyze = codec.network.analyze, lambda _: found
    try:
        symbols = codec.encode(image, rate)[1].symbols
    finally:
        codec.network.analyze = analyze
    tokens = int((found.tokens != expected.tokens).sum())
    return tokens, int((symbols != code.symbols).sum())


@pytest.mark.slow  # two sizes are compiled
def test_a_model_takes_images_of_any_number_of_tiles(tiny_model, tmp_path):
    write_networks(tiny_model, tmp_path)
    codec = dlf_jax.load(tiny_model)
    tile = codec.model.config.tile_size
    networks = OnnxNetworks(tmp_path, codec.model.config)
    for rows, columns, rate in ((1, 1, 0), (2, 3, 1), (2, 3, 0.25)):
        image = noise(rows * tile, columns * tile)
        tokens, symbols = compare(codec, networks, image, rate)
        assert tokens <= 1 and symbols <= 2  # ties of floating point


@pytest.mark.slow  # a photo is compiled
def test_photos_agree(tmp_path):
    data = pytest.importorskip("skimage.data")
    write_networks("dlf-nano", tmp_path)
    write_tables("dlf-nano", tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 16 * 2**20
    codec = dlf_jax.load("dlf-nano")
    networks = OnnxNetworks(tmp_path, codec.model.config)
    for image in (data.astronaut(), data.coffee()[:384, :512]):
        image = np.ascontiguousarray(image[:384, :512])
        for rate in range(codec.num_rates):
            tokens, symbols = compare(codec, networks, image, rate)
            assert tokens <= 1 and symbols <= 4
