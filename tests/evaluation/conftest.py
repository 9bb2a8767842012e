"""Small photos, and a codec that counts its calls."""

import dataclasses
import io
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlf_jax.evaluation import codecs


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Colour gradients with some noise, uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 5, 3), np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noisy = np.asarray(image) + rng.normal(size=(height, width, 3)) * 4
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Two image files."""
    paths = [tmp_path / f"{seed}.png" for seed in range(2)]
    for seed, path in enumerate(paths):
        Image.fromarray(smooth(24, 40, seed)).save(path)
    return paths


@dataclasses.dataclass
class CountingCodec:
    """Setting n keeps the upper bits of each byte of a PNG's pixels."""

    settings: tuple[str, ...] = ("2", "4", "6")
    version: str = "1"
    calls: int = 0
    fails_at: int = -1

    def compress(self, image: np.ndarray, setting: str) -> bytes:
        if self.calls == self.fails_at:
            raise KeyboardInterrupt
        self.calls += 1
        mask = np.uint8(256 - 2 ** (8 - int(setting)))
        buffer = io.BytesIO()
        Image.fromarray(image & mask).save(buffer, "PNG")
        return buffer.getvalue()

    def decompress(self, data: bytes) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> CountingCodec:
    """The codec "count"."""
    codec = CountingCodec()
    module = types.ModuleType("counting")
    module.open_codec = lambda kind: codec
    monkeypatch.setitem(sys.modules, "dlf_jax.evaluation.counting", module)
    monkeypatch.setitem(codecs._KINDS, "count", ("counting", False))
    codecs.open_codec.cache_clear()
    yield codec
    codecs.open_codec.cache_clear()
