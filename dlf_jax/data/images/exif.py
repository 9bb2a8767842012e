"""EXIF fields that affect the pixels; damage in other fields is ignored."""

import dataclasses
import struct

_ORIENTATION, _EXIF, _INTEROP, _INDEX = 0x112, 0x8769, 0xA005, 1
_INTEGERS = {1: "B", 3: "H", 4: "I"}  # type -> code of struct
_ASCII = 2


@dataclasses.dataclass(frozen=True)
class Exif:
    """Orientation and colour space of a photo.

    Attributes:
      orientation: 1 to 8; 1 is upright.
      adobe_rgb: the colours are Adobe RGB (interoperability index R03 of DCF).
    """

    orientation: int = 1
    adobe_rgb: bool = False


def read_exif(data: bytes) -> Exif:
    """Reads EXIF data, with or without the prefix ``Exif``; ignores damaged data."""
    data = data.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
    if order is None:
        return Exif()
    main = _directory(data, order, *struct.unpack(f"{order}I", data[4:8].ljust(4)))
    orientation = main.get(_ORIENTATION)
    below = _directory(data, order, main.get(_EXIF))
    index = _directory(data, order, below.get(_INTEROP)).get(_INDEX)
    return Exif(orientation if orientation in range(1, 9) else 1, index == b"R03\0")


def _directory(
    data: bytes, order: str, offset: int | bytes | None
) -> dict[int, int | bytes]:
    """Single integers and inline texts of a directory, by tag."""
    found: dict[int, int | bytes] = {}
    if not isinstance(offset, int) or offset + 2 > len(data):
        return found
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    for place in range(offset + 2, offset + 2 + 12 * count, 12):
        if place + 12 > len(data):
            break
        tag, kind, length = struct.unpack_from(f"{order}HHI", data, place)
        if kind in _INTEGERS and length == 1:
            (value,) = struct.unpack_from(order + _INTEGERS[kind], data, place + 8)
            found.setdefault(tag, value)
        elif kind == _ASCII and length <= 4:
            found.setdefault(tag, bytes(data[place + 8 : place + 12]))
    return found
