"""PNG: pixels from Pillow, metadata from the chunks."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped

from dlf_jax.data.images import Unsupported, cicp, icc
from dlf_jax.data.images.color import Colour, Profile
from dlf_jax.data.images.exif import read_exif
from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check, opened, planes
from dlf_jax.data.images.shaper import (
    D65,
    REC709,
    Shaper,
    matrix_of,
    power,
    srgb_curve,
)

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")  # the critical chunks
_ONCE = (b"tRNS", b"iCCP", b"cICP", b"sRGB", b"gAMA", b"cHRM", b"eXIf")
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_SRGB_GAMMA, _GAMMA_TOLERANCE = 0.45455, 0.05  # libpng treats closer gammas as sRGB
_MAX_PROFILE, _MAX_EXIF = 2**24, 2**20  # bytes, when decompressed
_PQ_PROFILE = b"ITUR_2100_PQ_FULL"  # marks HDR by its name
_RAW_EXIF = (b"Raw profile type exif\0", b"Raw profile type APP1\0")


def read(data: bytes, check: Check) -> Picture:
    """Reads a PNG file; the default image of an animation."""
    found, coded = {}, [_SIGNATURE]
    for kind, body, good in _chunks(data):
        if kind in _PIXELS:
            if not good:
                raise ValueError(f"wrong checksum of chunk {kind.decode()}")
            if kind == b"IEND":
                break
            if kind != b"IDAT":
                found[kind] = body
            if kind != b"PLTE":
                coded.append(_chunk(kind, body))
        elif not kind[0] & 0x20:
            raise Unsupported(
                f"has the unknown critical PNG chunk {kind!r}: save it again as PNG"
            )
        elif good and kind in _ONCE:
            found.setdefault(kind, body)
        elif kind in (b"tEXt", b"zTXt") and body.startswith(_RAW_EXIF):
            found.setdefault(b"text", kind + body)
    coded.append(_chunk(b"IEND", b""))
    width, height, depth, colour_type = struct.unpack_from(">IIBB", found[b"IHDR"])
    check(width, height)
    samples = _samples(coded, depth, colour_type, check)
    picture = _picture(samples, depth, colour_type, found)
    picture.colour = _colour(found, picture.samples.shape[2])
    exif = found.get(b"eXIf") or _exif_in_text(found.get(b"text", b""))
    picture.orientation = read_exif(exif).orientation
    return picture


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yields type, content, and True if the checksum is right."""
    place = len(_SIGNATURE)
    while place + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        end = place + 8 + size
        body = data[place + 8 : end]
        yield kind, body, data[end : end + 4] == struct.pack(">I", _crc(kind, body))
        place = end + 4


def _crc(kind: bytes, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(kind))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", _crc(kind, body))
    )


def _samples(
    coded: list[bytes], depth: int, colour_type: int, check: Check
) -> Shaped[np.ndarray, "H W C"]:
    """Stored samples: 0 to 2^depth - 1, or palette indices."""
    if depth == 16 and colour_type == _GREY_ALPHA:
        # Filters and compression cannot tell these from four channels of 8 bits.
        header = coded[1][8:16] + bytes([8, _RGB_ALPHA]) + coded[1][18:21]
        pixels = _decoded([coded[0], _chunk(b"IHDR", header), *coded[2:]], check)
        return pixels.view(">u2")
    if depth == 16 and colour_type != _GREY:
        # Pillow keeps 8 of 16 bits: read the upper ones, then the lower ones.
        mode = "RGB" if colour_type == _RGB else "RGBA"
        upper = _decoded(coded, check, f"{mode};16B").astype(np.uint16)
        return upper << 8 | _decoded(coded, check, f"{mode};16L")
    pixels = _decoded(coded, check)
    # Pillow scales grey of 2 and 4 bits to 0..255.
    return pixels // (255 // (2**depth - 1)) if _spread(depth, colour_type) else pixels


def _spread(depth: int, colour_type: int) -> bool:
    return colour_type == _GREY and depth in (2, 4)


def _decoded(
    coded: list[bytes], check: Check, raw_mode: str = ""
) -> Shaped[np.ndarray, "H W C"]:
    with opened(b"".join(coded), "PNG", check) as image:
        if raw_mode:
            image.tile = [image.tile[0]._replace(args=raw_mode)]
        return planes(image)


def _picture(
    samples: Shaped[np.ndarray, "H W C"],
    depth: int,
    colour_type: int,
    found: dict[bytes, bytes],
) -> Picture:
    """Resolves palette, alpha and transparent colour."""
    clear = found.get(b"tRNS", b"")
    if colour_type == _PALETTE:
        return _from_palette(samples[..., 0], found.get(b"PLTE", b""), clear)
    top = 2**depth - 1
    if colour_type in (_GREY_ALPHA, _RGB_ALPHA):
        return Picture(samples[..., :-1], top, samples[..., -1])
    channels = samples.shape[2]
    if len(clear) < 2 * channels:
        return Picture(samples, top)
    key = np.array(struct.unpack_from(f">{channels}H", clear)) & top
    differs = (samples != key.astype(np.uint16)).any(2)
    return Picture(samples, top, differs * samples.dtype.type(top))


def _from_palette(
    entries: Shaped[np.ndarray, "H W"], palette: bytes, clear: bytes
) -> Picture:
    colours = np.zeros((256, 3), np.uint8)
    known = np.frombuffer(palette[: 3 * 256], np.uint8, 3 * min(len(palette) // 3, 256))
    colours[: known.size // 3] = known.reshape(-1, 3)
    if not clear:
        return Picture(colours[entries])
    alpha = np.full(256, 255, np.uint8)
    alpha[: len(clear)] = np.frombuffer(clear[:256], np.uint8)
    return Picture(colours[entries], alpha=alpha[entries])


def _colour(found: dict[bytes, bytes], channels: int) -> Colour | None:
    """Colour space by the first chunk of cICP, iCCP, sRGB, gAMA and cHRM."""
    code_points = found.get(b"cICP", b"")
    if len(code_points) == 4 and code_points[2] == 0:
        primaries, transfer, _, full = code_points
        if transfer != cicp.UNSPECIFIED:
            return cicp.shaper_of(primaries, transfer, bool(full))
    name, _, rest = found.get(b"iCCP", b"").partition(b"\0")
    if name == _PQ_PROFILE:
        cicp.check_sdr(16)
    profile = _inflated(rest[1:], _MAX_PROFILE) if rest[:1] == b"\0" else b""
    if profile and icc.channels_of(profile) == channels:
        return Profile(profile)
    return None if b"sRGB" in found else _from_gamma(found)


def _from_gamma(found: dict[bytes, bytes]) -> Shaper | None:
    gamma, curve, matrix = found.get(b"gAMA", b""), srgb_curve, np.eye(3)
    if len(gamma) == 4 and any(gamma):
        value = int.from_bytes(gamma, "big") / 100_000
        if abs(value / _SRGB_GAMMA - 1) > _GAMMA_TOLERANCE:
            curve = power(1 / value)
    if len(chromaticities := found.get(b"cHRM", b"")) == 32:
        xy = np.array(struct.unpack(">8I", chromaticities)).reshape(4, 2) / 100_000
        try:
            matrix = matrix_of(xy[1:], xy[0])
        except (ValueError, np.linalg.LinAlgError):
            matrix = matrix_of(REC709, D65)
    return Shaper((curve,), matrix)


def _inflated(data: bytes, most: int) -> bytes:
    """Decompresses; empty if damaged or larger than `most` bytes."""
    try:
        stream = zlib.decompressobj()
        result = stream.decompress(data, most)
    except zlib.error:
        return b""
    return result if stream.eof else b""


def _exif_in_text(chunk: bytes) -> bytes:
    """EXIF in a text chunk of ImageMagick: name, size and hexadecimal digits."""
    kind, (_, _, text) = chunk[:4], chunk[4:].partition(b"\0")
    if kind == b"zTXt":
        text = _inflated(text[1:], _MAX_EXIF)
    try:
        return bytes.fromhex(b"".join(text[:_MAX_EXIF].split()[2:]).decode("ascii"))
    except ValueError:
        return b""
