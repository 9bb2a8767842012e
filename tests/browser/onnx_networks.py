"""The networks of a model in onnxruntime."""

from pathlib import Path

import numpy as np

from dlf_jax.browser.networks import ANALYSIS_FILE, SYNTHESIS_FILE
from dlf_jax.codec.network import Analysis
from dlf_jax.models.config import DLFConfig


class OnnxNetworks:
    """Analysis and synthesis in the form of `CompiledNetwork`.

    Args:
      folder: with the files of `write_networks`.
      config: of the model.
    """

    def __init__(self, folder: Path, config: DLFConfig):
        import onnxruntime

        self._tile = config.tile_size
        self._cells = config.tile_size // config.detail_stride
        self._analysis, self._synthesis = (
            onnxruntime.InferenceSession(folder / name)
            for name in (ANALYSIS_FILE, SYNTHESIS_FILE)
        )

    def prepare_synthesis(self, grid: tuple[int, int]) -> None:
        """Does nothing: one program serves all sizes."""

    def analyze(self, image: np.ndarray) -> Analysis:
        """Analyses an image, extended to whole tiles by its edges."""
        missing = [(0, -side % self._tile) for side in image.shape[:2]]
        image = np.pad(image, (*missing, (0, 0)), mode="edge")
        height, width, _ = image.shape
        shape = height // self._tile, self._tile, width // self._tile, self._tile, 3

        def run(rate):
            inputs = {
                "image": image.reshape(shape),
                "rate": np.array([rate], np.float32),
            }
            tokens, latent = self._analysis.run(None, inputs)
            rows, cells, columns, _, channels = latent.shape
            latent = latent.reshape(1, rows * cells, columns * cells, channels)
            return tokens.reshape(-1, tokens.shape[-1]), latent

        return Analysis(run(0)[0], lambda rate: run(rate)[1])

    def synthesize(
        self, tokens: np.ndarray, latent: np.ndarray, rate: float
    ) -> np.ndarray:
        """The image of decoded tokens and latent."""
        cells = self._cells
        rows, columns = (side // cells for side in latent.shape[1:3])
        inputs = {
            "tokens": tokens.reshape(rows, columns, -1).astype(np.int32),
            "latent": latent.reshape(rows, cells, columns, cells, -1),
            "rate": np.array([rate], np.float32),
        }
        (image,) = self._synthesis.run(None, inputs)
        return image.reshape(rows * self._tile, columns * self._tile, 3)
