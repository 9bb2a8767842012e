"""Codecs of Pillow and its plug-ins."""

import dataclasses
import io
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np
import PIL
from PIL import Image, features

from dlf_jax.errors import UserError
from dlf_jax.extras import needs


@dataclasses.dataclass(frozen=True)
class PillowCodec:
    """`ImageCodec` of one image format.

    Attributes:
      format: Pillow's name of the format.
      settings: see `ImageCodec`.
      options: arguments of `Image.save` for a setting.
      version: see `ImageCodec`.
    """

    format: str
    settings: tuple[str, ...]
    options: Callable[[str], dict[str, Any]]
    version: str

    def compress(self, image: np.ndarray, setting: str) -> bytes:
        """See `ImageCodec`."""
        buffer = io.BytesIO()
        options = self.options(setting)
        try:
            Image.fromarray(image).save(buffer, self.format, **options)
        except (OSError, ValueError, RuntimeError) as error:  # such as too long a side
            raise UserError(f"{self.format} cannot hold the image: {error}") from error
        return buffer.getvalue()

    def decompress(self, data: bytes) -> np.ndarray:
        """See `ImageCodec`."""
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))


def open_codec(kind: str) -> PillowCodec:
    """Opens the codec "jpeg", "webp", "avif", "jpeg2000", "jxl" or "heif".

    Raises:
      UserError: Pillow was built without the format, or a plug-in is not installed.
    """
    version = f"Pillow {PIL.__version__}"
    if kind == "heif":
        needs("pillow_heif", "evaluate", "pillow-heif").register_heif_opener()
        version = f"pillow-heif {metadata.version('pillow-heif')}"
    elif kind == "jxl":
        # The import registers the format.
        needs("pillow_jxl", "evaluate", "pillow-jxl-plugin")
        version = f"pillow-jxl-plugin {metadata.version('pillow-jxl-plugin')}"
    elif not features.check(_FEATURES[kind]):
        raise UserError(f"this Pillow was built without {kind}: pip install -U pillow")
    name, settings, options = _FORMATS[kind]
    # The options invalidate cached results, so the version includes them.
    return PillowCodec(name, settings, options, f"{version} {options(settings[-1])}")


_FEATURES = {"jpeg": "jpg", "webp": "webp", "avif": "avif", "jpeg2000": "jpg_2000"}


def _jpeg(setting: str) -> dict[str, Any]:
    return {"quality": int(setting), "optimize": True, "progressive": True}


def _webp(setting: str) -> dict[str, Any]:
    return {"quality": int(setting), "method": 6}


def _avif(setting: str) -> dict[str, Any]:
    """Options without tiles: Pillow's default tiling costs bits."""
    return {"quality": int(setting), "speed": 4, "autotiling": False, "max_threads": 1}


def _jpeg2000(setting: str) -> dict[str, Any]:
    """Options for a target in bits per pixel; the file is a bare codestream."""
    layers = [24 / float(setting)]
    return {"quality_layers": layers, "irreversible": True, "mct": 1, "no_jp2": True}


def _heif(setting: str) -> dict[str, Any]:
    return {"quality": int(setting), "chroma": 420}


def _jxl(setting: str) -> dict[str, Any]:
    return {"quality": int(setting), "effort": 7}


_FORMATS = {
    "jpeg": ("JPEG", ("1", "5", "12"), _jpeg),
    "webp": ("WEBP", ("0", "4", "14"), _webp),
    "avif": ("AVIF", ("0", "12", "28"), _avif),
    "jpeg2000": ("JPEG2000", ("0.02", "0.04", "0.08", "0.16"), _jpeg2000),
    "jxl": ("JXL", ("0", "10"), _jxl),
    "heif": ("HEIF", ("0", "12", "24"), _heif),
}
