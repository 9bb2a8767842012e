"""The DLF codec; its settings are the rate points of a model."""

import numpy as np

from dlf_jax.codec import catalog
from dlf_jax.compile_cache import enable_compile_cache


class DLFCodec:
    """`ImageCodec` of a DLF model.

    Args:
      model: name of a bundled model, or model directory.
    """

    def __init__(self, model: str):
        enable_compile_cache()
        self._codec = catalog.load(model)
        self.settings = tuple(map(str, range(self._codec.num_rates)))
        self.version = self._codec.model.fingerprint.hex()

    def compress(self, image: np.ndarray, setting: str) -> bytes:
        """See `ImageCodec`."""
        return self._codec.compress(image, int(setting))

    def decompress(self, data: bytes) -> np.ndarray:
        """See `ImageCodec`."""
        return self._codec.decompress(data)


def open_codec(model: str) -> DLFCodec:
    """Opens the codec of a bundled model or a model directory.

    Raises:
      UserError: the model does not exist.
    """
    return DLFCodec(model)
