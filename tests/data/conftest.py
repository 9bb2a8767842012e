"""A few small photos on disk."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folders(tmp_path):
    """Two folders with eight small photos, one of them greyscale."""
    rng = np.random.default_rng(0)
    for i in range(8):
        folder = tmp_path / "ab"[i % 2]
        folder.mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).convert("L" if i == 3 else "RGB")
        picture.save(folder / f"{i}.png")
    (tmp_path / "a" / "notes.txt").write_text("not a photo")
    return tmp_path / "a", tmp_path / "b"
