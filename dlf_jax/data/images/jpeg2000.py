"""JPEG 2000: samples from OpenJPEG, colour space and channels from the boxes."""

import dataclasses
import struct

import numpy as np
from jaxtyping import Shaped

from dlf_jax.data.formats import library
from dlf_jax.data.images import Unsupported, cicp, icc
from dlf_jax.data.images.boxes import boxes
from dlf_jax.data.images.color import Colour, Profile
from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check
from dlf_jax.data.images.ycc import from_ycc

_CODESTREAM = b"\xff\x4f\xff\x51"
_SRGB, _GREY, _SYCC, _CMYK = 16, 17, 18, 12
_CHANNELS = {_SRGB: 3, _GREY: 1, _SYCC: 3, _CMYK: 4}
_ALPHA, _PREMULTIPLIED = 1, 2
_MAX_CHANNELS = 16  # the pixel limit assumes fewer


@dataclasses.dataclass
class _Header:
    """Content of the header boxes; empty for a bare codestream.

    Attributes:
      space: number of the enumerated colour space.
      colour: colour space that is not enumerated.
      palette: array of entries x columns, and bits of its values.
      columns: (component, palette column or None) of each channel.
      roles: channel -> (type, association).
    """

    space: int | None = None
    colour: Colour | None = None
    palette: tuple[np.ndarray, int] | None = None
    columns: list[tuple[int, int | None]] = dataclasses.field(default_factory=list)
    roles: dict[int, tuple[int, int]] = dataclasses.field(default_factory=dict)


def read(data: bytes, check: Check) -> Picture:
    """Reads a JP2 or JPX file or a bare codestream; only the first codestream."""
    header, code = _Header(), data
    if not data.startswith(_CODESTREAM):
        code = b""
        for kind, body in boxes(data):
            if kind == b"jp2h":
                _read_header(body, header)
            elif kind == b"jp2c":
                code = body
                break
    if not code.startswith(_CODESTREAM) or len(code) < 46:
        raise ValueError("there is no codestream")
    right, bottom, left, above = struct.unpack_from(">4I", code, 8)
    check(right - left, bottom - above)
    (count,) = struct.unpack_from(">H", code, 40)
    if count > _MAX_CHANNELS:
        raise Unsupported(f"has {count} components: convert it to PNG")
    sizes = [struct.unpack_from("3B", code, 42 + 3 * i) for i in range(count)]
    if len({size[0] for size in sizes}) > 1:
        raise Unsupported("has components of different depths: convert it to PNG")
    samples = library("JPEG2000").decode(code, j2k_format=0)
    samples = samples.reshape(*samples.shape[:2], count)
    bits = (sizes[0][0] & 127) + 1
    if sizes[0][0] & 128:
        samples = samples.astype(np.int64) + (1 << (bits - 1))
    if bits > 16:
        samples, bits = samples >> (bits - 16), 16
    coarse = count >= 3 and sizes[0][1:] == (1, 1) and sizes[1][1:] != (1, 1)
    if header.space is None and header.colour is None and count >= 3:
        header.space = _SYCC if coarse else _SRGB  # the guess of OpenJPEG's own tools
    if header.space == _SYCC and count == 3 and coarse and sizes[1][1] > 1:
        header.space = _SRGB  # OpenJPEG has converted it
    return _picture(samples.astype(np.uint8 if bits <= 8 else np.uint16), bits, header)


def _read_header(data: bytes, header: _Header) -> None:
    known = False
    for kind, body in boxes(data):
        if kind == b"colr" and not known:
            known = _read_colour(body, header)
        elif kind == b"pclr":
            entries, columns = struct.unpack_from(">HB", body)
            bits = [1 + (depth & 127) for depth in body[3 : 3 + columns]]
            if len(set(bits)) != 1 or bits[0] > 16:
                raise Unsupported("has a palette of mixed depths: convert it to PNG")
            numbers = np.frombuffer(
                body, ">u2" if bits[0] > 8 else "u1", entries * columns, 3 + columns
            )
            header.palette = numbers.reshape(entries, columns), bits[0]
        elif kind == b"cmap":
            for place in range(0, len(body) - 3, 4):
                component, mapped, column = struct.unpack_from(">HBB", body, place)
                header.columns.append((component, column if mapped else None))
        elif kind == b"cdef":
            for place in range(2, len(body) - 5, 6):
                channel, role, goal = struct.unpack_from(">3H", body, place)
                header.roles[channel] = role, goal
    if not known:
        raise Unsupported("has no supported colour space: convert it to PNG")


def _read_colour(body: bytes, header: _Header) -> bool:
    """Reads a colour box; returns False if its method or space is unsupported."""
    method = body[0]
    if method == 1:
        header.space = int.from_bytes(body[3:7], "big")
        return header.space in _CHANNELS
    if method in (2, 3):
        header.colour = Profile(body[3:])
        return True
    if method == 5 and len(body) >= 10:
        primaries, transfer, matrix = struct.unpack_from(">3H", body, 3)
        header.colour = cicp.shaper_of(primaries, transfer)
        return matrix == 0
    return False


def _picture(
    samples: Shaped[np.ndarray, "H W C"], bits: int, header: _Header
) -> Picture:
    if header.palette:
        samples, bits = _through_palette(samples, header)
    channels = samples.shape[2]
    colours = [i for i in range(channels) if header.roles.get(i, (0, 0))[0] == 0]
    colours.sort(key=lambda i: header.roles.get(i, (0, i + 1))[1])
    wanted = _number_of_colours(header, len(colours))
    others = [i for i in range(channels) if i not in colours] + colours[wanted:]
    colours = colours[:wanted]
    if len(colours) < wanted:
        raise ValueError(f"{channels} channels are too few for the colour space")
    top = 2**bits - 1
    alpha = premultiplied = None
    for i in others:
        role = header.roles.get(i, (_ALPHA, 0))[0]
        if role in (_ALPHA, _PREMULTIPLIED):
            alpha, premultiplied = samples[..., i], role == _PREMULTIPLIED
            break
    samples = samples[..., colours]
    if header.space == _SYCC:
        samples = from_ycc(samples, top)
    picture = Picture(samples, top, alpha, header.colour)
    return picture.unpremultiplied() if premultiplied else picture


def _number_of_colours(header: _Header, there: int) -> int:
    """Number of colour channels; by default an even count includes alpha."""
    if isinstance(header.colour, Profile):
        return icc.channels_of(header.colour.data) or there - (there + 1) % 2
    return _CHANNELS.get(header.space) or there - (there + 1) % 2


def _through_palette(
    samples: Shaped[np.ndarray, "H W C"], header: _Header
) -> tuple[Shaped[np.ndarray, "H W columns"], int]:
    """Replaces palette indices by their values."""
    values, bits = header.palette
    if not header.columns or any(column is None for _, column in header.columns):
        raise Unsupported("uses its palette in part: convert it to PNG")
    planes = [
        values[np.minimum(samples[..., component], len(values) - 1), column]
        for component, column in header.columns
    ]
    return np.stack(planes, -1).astype(np.uint8 if bits <= 8 else np.uint16), bits
