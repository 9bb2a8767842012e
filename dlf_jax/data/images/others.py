"""Formats of 8 bits in sRGB that Pillow reads whole."""

from collections.abc import Callable

from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check, eight_bits, opened


def reader(kind: str) -> Callable[[bytes, Check], Picture]:
    """Returns the reader of one of Pillow's formats; of several frames the first."""

    def read(data: bytes, check: Check) -> Picture:
        with opened(data, kind, check) as image:
            return eight_bits(image)

    return read
