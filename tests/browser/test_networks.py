"""The networks in ONNX, run by onnxruntime, agree with jax."""

import numpy as np
import pytest

import dlf_jax
from dlf_jax.browser.networks import write_networks
from dlf_jax.browser.tables import write_tables
from dlf_jax.codec.codec import Codec
from tests.pictures import noise

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("symbolic_sizes")


class Networks:
    """Analysis and synthesis in the form of `CompiledNetwork`."""

    def __init__(self, folder, tile):
        self._tile = tile
        self._analysis, self._synthesis = (
            onnxruntime.InferenceSession(folder / name)
            for name in ("analyze.onnx", "synthesize.onnx")
        )

    def analyze(self, image, rate):
        height, width, _ = image.shape
        shape = height // self._tile, self._tile, width // self._tile, self._tile, 3
        inputs = {"image": image.reshape(shape), "rate": np.array([rate], np.int32)}
        tokens, latent = self._analysis.run(None, inputs)
        rows, cells, columns, _, channels = latent.shape
        latent = latent.reshape(1, rows * cells, columns * cells, channels)
        return tokens.reshape(-1, tokens.shape[-1]), latent

    def synthesize(self, tokens, latent, rate, tiles):
        rows, columns = tiles
        cells = latent.shape[1] // rows
        inputs = {
            "tokens": tokens.reshape(rows, columns, -1).astype(np.int32),
            "latent": latent.reshape(rows, cells, columns, cells, -1),
            "rate": np.array([rate], np.int32),
        }
        (image,) = self._synthesis.run(None, inputs)
        return image.reshape(rows * self._tile, columns * self._tile, 3)


def compare(codec: Codec, networks: Networks, image: np.ndarray, rate: int):
    """Asserts agreement; returns the numbers of differing tokens and symbols."""
    tile = codec.model.config.tile_size
    height, width, _ = image.shape
    tokens, latent = networks.analyze(image, rate)
    expected_tokens, expected = codec.network.analyze(image, rate)
    np.testing.assert_allclose(latent, expected, rtol=1e-4, atol=1e-3)
    _, code = codec.encode(image, rate)
    picture = codec.network.synthesize(code.tokens, code.y_hat, rate).astype(int)
    tiles = height // tile, width // tile
    found = networks.synthesize(code.tokens, code.y_hat, rate, tiles)
    assert np.abs(found - picture).max() <= 2
    analyze, codec.network.analyze = codec.network.analyze, lambda *_: (tokens, latent)
    try:
        symbols = codec.encode(image, rate)[1].symbols
    finally:
        codec.network.analyze = analyze
    return int((tokens != expected_tokens).sum()), int((symbols != code.symbols).sum())


def test_a_model_takes_images_of_any_number_of_tiles(tiny_model, tmp_path):
    write_networks(tiny_model, tmp_path)
    codec = dlf_jax.load(tiny_model)
    tile = codec.model.config.tile_size
    networks = Networks(tmp_path, tile)
    for rows, columns, rate in ((1, 1, 0), (2, 3, 1)):
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
    networks = Networks(tmp_path, codec.model.config.tile_size)
    for image in (data.astronaut(), data.coffee()[:384, :512]):
        image = np.ascontiguousarray(image[:384, :512])
        for rate in range(codec.num_rates):
            tokens, symbols = compare(codec, networks, image, rate)
            assert tokens <= 1 and symbols <= 4
