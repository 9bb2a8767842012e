"""What a codec is here, and which one a name means."""

import dataclasses
import functools
import importlib
import os
from typing import Protocol, runtime_checkable

import numpy as np

from dlf_jax.errors import UserError


@runtime_checkable
class ImageCodec(Protocol):
    """Files of images and back.

    Attributes:
      settings: quality settings worth comparing at 0.01 to 0.25 bits per pixel, the
        smallest files first.
      version: all else that the bytes depend on, such as releases of libraries.
    """

    settings: tuple[str, ...]
    version: str

    def compress(self, image: np.ndarray, setting: str) -> bytes:
        """A whole file, headers included, of a uint8 (H, W, 3) image."""

    def decompress(self, data: bytes) -> np.ndarray:
        """The image, from the file alone."""


@dataclasses.dataclass(frozen=True)
class CodecSpec:
    """A codec as users name it: ``NAME``, ``NAME:MODEL``, both with ``@SETTING``.

    Attributes:
      name: what results are listed under, such as "vvc" or "dlf:dlf-nano".
      settings: those to run.
      version: see `ImageCodec`.
    """

    name: str
    settings: tuple[str, ...]
    version: str


def parse(text: str) -> CodecSpec:
    """Reads the name of a codec, and finds out what it needs.

    Raises:
      UserError: there is no such codec, model or setting, or what it needs is not
        installed.
    """
    name, at, setting = text.partition("@")
    codec = open_codec(name)
    if at and setting not in codec.settings:
        known = ", ".join(codec.settings)
        raise UserError(f"{name} has no setting {setting!r}: it is one of {known}")
    return CodecSpec(name, (setting,) if at else codec.settings, codec.version)


@functools.cache
def open_codec(name: str) -> ImageCodec:
    """The codec of a name without a setting; it is kept in this process.

    Raises:
      UserError: as `parse`.
    """
    kind, _, model = name.partition(":")
    try:
        module, takes_model = _KINDS[kind]
    except KeyError:
        known = ", ".join(f"{k}:MODEL" if m else k for k, (_, m) in _KINDS.items())
        raise UserError(f"there is no codec {kind!r}: use {known}") from None
    if takes_model != bool(model):
        example = f"{kind}:MODEL" if takes_model else kind
        raise UserError(f"codec {name!r} is not complete or too long: use {example}")
    module = importlib.import_module(f"dlf_jax.evaluation.{module}")
    # The shell expands no ~ behind a colon.
    return module.open_codec(os.path.expanduser(model) if takes_model else kind)


# Kind -> module with `open_codec(model or kind)`, and whether a model is named.
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
