"""The `ImageCodec` protocol and the registry of codec names."""

import dataclasses
import functools
import importlib
import os
from typing import Protocol, runtime_checkable

import numpy as np

from dlf_jax.errors import UserError


@runtime_checkable
class ImageCodec(Protocol):
    """Compression of images to files, and back.

    Attributes:
      settings: quality settings for about 0.01 to 0.25 bits per pixel, smallest files
        first.
      version: everything else that the bytes depend on, such as library releases.
    """

    settings: tuple[str, ...]
    version: str

    def compress(self, image: np.ndarray, setting: str) -> bytes:
        """Encodes a uint8 (H, W, 3) image as a complete file, headers included."""

    def decompress(self, data: bytes) -> np.ndarray:
        """Decodes the image from the file alone."""


@dataclasses.dataclass(frozen=True)
class CodecSpec:
    """A codec as users name it: ``NAME``, ``NAME:MODEL``, both with ``@SETTING``.

    Attributes:
      name: name in the results, such as "vvc" or "dlf:dlf-nano".
      settings: the settings to run.
      version: see `ImageCodec`.
    """

    name: str
    settings: tuple[str, ...]
    version: str


def parse(text: str) -> CodecSpec:
    """Parses a codec name and opens the codec.

    Raises:
      UserError: the codec, model or setting is unknown, or a package is not
        installed.
    """
    name, at, setting = text.partition("@")
    codec = open_codec(name)
    if at and setting not in codec.settings:
        known = ", ".join(codec.settings)
        raise UserError(f"{name} has no setting {setting!r}: use one of {known}")
    return CodecSpec(name, (setting,) if at else codec.settings, codec.version)


@functools.cache
def open_codec(name: str) -> ImageCodec:
    """Opens the codec of a name without a setting, once per process.

    Raises:
      UserError: see `parse`.
    """
    kind, _, model = name.partition(":")
    try:
        module, takes_model = _KINDS[kind]
    except KeyError:
        known = ", ".join(f"{k}:MODEL" if m else k for k, (_, m) in _KINDS.items())
        raise UserError(f"there is no codec {kind!r}: use {known}") from None
    if takes_model != bool(model):
        example = f"{kind}:MODEL" if takes_model else kind
        raise UserError(
            f"codec {name!r} is incomplete or has an extra part: use {example}"
        )
    module = importlib.import_module(f"dlf_jax.evaluation.{module}")
    # The shell does not expand ~ after a colon.
    return module.open_codec(os.path.expanduser(model) if takes_model else kind)


# Kind -> module with `open_codec(model or kind)`, and True where the name has a model.
_KINDS: dict[str, tuple[str, bool]] = {
    "dlf": ("dlf_codec", True),
    "jpeg": ("pillow_codecs", False),
    "webp": ("pillow_codecs", False),
    "avif": ("pillow_codecs", False),
    "jpeg2000": ("pillow_codecs", False),
    "jxl": ("pillow_codecs", False),
    "heif": ("pillow_codecs", False),
    "vvc": ("vvc_codec", False),
    "vvc-qpa": ("vvc_codec", False),
    "tfc": ("tfc_codec", True),
    "tfci": ("tfci_codec", True),
}
