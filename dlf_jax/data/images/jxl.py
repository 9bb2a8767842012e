"""JPEG XL: pixels from the decoder of pillow-jxl-plugin."""

import numpy as np
from jaxtyping import Shaped

from dlf_jax.data.formats import library
from dlf_jax.data.images import Unsupported, icc, jpeg
from dlf_jax.data.images.boxes import boxes
from dlf_jax.data.images.color import Profile
from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check

_CODESTREAM = b"\xff\x0a"
# Ratio number in the header -> width to height.
_RATIOS = {
    1: (1, 1),
    2: (12, 10),
    3: (4, 3),
    4: (3, 2),
    5: (16, 9),
    6: (5, 4),
    7: (2, 1),
}
_CHANNELS = {"LA": 2, "RGB": 3, "RGBA": 4}
_TYPES = {1: np.uint8, 2: np.uint16, 4: np.float32}  # by bytes
_SIZE_BITS = (9, 13, 18, 30)


def read(data: bytes, check: Check) -> Picture:
    """Reads a JPEG XL file; libjxl applies the orientation.

    A recompressed JPEG is restored and read as JPEG."""
    decoder = library("JXL").Decoder(num_threads=-1)
    check(*_size(data))
    is_jpeg, header, pixels, profile, _ = decoder(data)
    if is_jpeg:
        return jpeg.read(bytes(pixels), check)
    channels = _CHANNELS.get(header.mode, 1)
    samples, top = _samples(bytes(pixels), header.height, header.width, channels)
    alpha = samples[..., -1] if channels % 2 == 0 else None
    samples = samples[..., : (channels - 1) | 1]
    if profile and icc.channels_of(profile) == 4:
        raise Unsupported("is a JPEG XL of inks (CMYK): convert it to RGB")
    if profile and top == 255 and icc.channels_of(profile) == samples.shape[2]:
        space = icc.shaper_of(profile)
        if space and space.is_too_fine(samples):
            raise Unsupported(
                "is in linear light, which pillow-jxl-plugin rounds to 8 bits, too few "
                "for dark colours: convert it to sRGB"
            )
    return Picture(samples, top, alpha, Profile(profile) if profile else None)


def _samples(
    pixels: bytes, height: int, width: int, channels: int
) -> tuple[Shaped[np.ndarray, "H W C"], int]:
    """Samples and their maximum; the sample type follows from the number of bytes.

    The mode is no help: pillow-jxl-plugin reports grey with alpha as 8 bits always.
    """
    kind = _TYPES[len(pixels) // (height * width * channels)]
    samples = np.frombuffer(pixels, kind).reshape(height, width, channels)
    if samples.dtype == np.float32:
        samples = np.uint16(np.clip(samples, 0, 1) * 65535 + np.float32(0.5))
    return samples, np.iinfo(samples.dtype).max


def _size(data: bytes) -> tuple[int, int]:
    """Width and height from the size header of the codestream."""
    code = data
    if not data.startswith(_CODESTREAM):
        parts = dict(reversed(list(boxes(data))))
        code = parts.get(b"jxlc") or parts.get(b"jxlp", b"")[4:]
    bits = int.from_bytes(code[2:18], "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    def side(small: int) -> int:
        return 8 * (1 + take(5)) if small else 1 + take(_SIZE_BITS[take(2)])

    small = take(1)
    height = side(small)
    ratio = take(3)
    if ratio == 0:
        return side(small), height
    over, under = _RATIOS[ratio]
    return height * over // under, height
