"""Image files for tests."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Independent uint8 values, of shape [*shape, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def png(image: np.ndarray) -> bytes:
    """The bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def write_images(folder: Path, images: Iterable[np.ndarray]) -> Path:
    """Writes 0.png, 1.png, … into a new folder, and returns the folder."""
    folder.mkdir()
    for i, image in enumerate(images):
        (folder / f"{i}.png").write_bytes(png(image))
    return folder
