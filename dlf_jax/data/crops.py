"""Square crops of photos, with the resize rule of the paper's training."""

import dataclasses

import numpy as np
from PIL import Image

from dlf_jax.typing import UInt8


@dataclasses.dataclass(frozen=True)
class CropConfig:
    """Settings of random crops.

    Attributes:
      size: side of the square crop, in pixels.
      min_scale: before the crop, a photo is shrunk by a factor drawn log-uniformly
        from [min_scale, 1], but never below `size`; 1 disables scaling.
      flip: mirror half of the crops at random.
    """

    size: int
    min_scale: float = 1.0
    flip: bool = False


def random_crop(
    photo: UInt8[np.ndarray, "H W 3"], config: CropConfig, rng: np.random.Generator
) -> UInt8[np.ndarray, "S S 3"]:
    """Cuts a random square out of a photo.

    A photo with a side below `size` is enlarged until its shorter side fits (bilinear,
    antialiased).

    Reference: docs/architecture.md#training-data (the paper's recipe has neither
    scaling nor flips).
    """
    scale = config.min_scale ** rng.uniform()
    height, width = _scaled_shape(photo, scale, config.size)
    top = int(rng.integers(height - config.size + 1))
    left = int(rng.integers(width - config.size + 1))
    crop = _crop_scaled(photo, (height, width), (top, left), config.size)
    if config.flip and rng.integers(2):
        crop = crop[:, ::-1]
    return np.ascontiguousarray(crop)


def center_crop(
    photo: UInt8[np.ndarray, "H W 3"], size: int
) -> UInt8[np.ndarray, "S S 3"]:
    """Centre crop with the resize rule of `random_crop`, for validation.

    Reference: docs/architecture.md#training-data.
    """
    height, width = _scaled_shape(photo, 1.0, size)
    corner = ((height - size) // 2, (width - size) // 2)
    return np.ascontiguousarray(_crop_scaled(photo, (height, width), corner, size))


def _scaled_shape(photo: np.ndarray, scale: float, size: int) -> tuple[int, int]:
    """Height and width after scaling, each at least `size`."""
    height, width = photo.shape[:2]
    scale = max(scale, size / min(height, width))
    return max(round(height * scale), size), max(round(width * scale), size)


def _crop_scaled(
    photo: np.ndarray, shape: tuple[int, int], corner: tuple[int, int], size: int
) -> np.ndarray:
    """Square at `corner` of the resized photo; nothing else is computed."""
    top, left = corner
    if shape == photo.shape[:2]:
        return photo[top : top + size, left : left + size]
    down, across = (old / new for old, new in zip(photo.shape, shape, strict=False))
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    box = (*box[:2], min(box[2], photo.shape[1]), min(box[3], photo.shape[0]))
    image = Image.fromarray(photo)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))
