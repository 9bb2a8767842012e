"""First image file directory of a TIFF file: reading and replacing its fields."""

import enum
import struct
from collections.abc import Mapping


class Tag(enum.IntEnum):
    """Tags of the fields that describe the pixels."""

    SUBFILE = 254
    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES = 277
    ROWS_PER_STRIP = 278
    STRIP_SIZES = 279
    PLANES = 284
    T4_OPTIONS = 292
    T6_OPTIONS = 293
    PREDICTOR = 317
    PALETTE = 320
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILE_OFFSETS = 324
    TILE_SIZES = 325
    SUBDIRECTORIES = 330
    INK_SET = 332
    EXTRA = 338
    FORMAT = 339
    JPEG_TABLES = 347
    OLD_JPEG_PROCESS = 512
    OLD_JPEG_START = 513
    OLD_JPEG_SIZE = 514
    OLD_JPEG_RESTART = 515
    OLD_JPEG_Q = 519
    OLD_JPEG_DC = 520
    OLD_JPEG_AC = 521
    YCC_WEIGHTS = 529
    YCC_SUBSAMPLING = 530
    YCC_REFERENCE = 532
    PROFILE = 34675
    DNG_VERSION = 50706


# Type -> bytes of a value and struct code of its numbers; a fraction is two numbers.
_TYPES = {
    1: (1, "B"),
    2: (1, "B"),
    3: (2, "H"),
    4: (4, "I"),
    5: (8, "I"),
    6: (1, "b"),
    7: (1, "B"),
    8: (2, "h"),
    9: (4, "i"),
    13: (4, "I"),
    16: (8, "Q"),
    17: (8, "q"),
    18: (8, "Q"),
}
_LONG, _LONG8 = 4, 16
_MAX_SIZE = 2**26  # bytes of a field


class Directory:
    """Integer fields of the first directory, by tag."""

    def __init__(self, data: bytes):
        """Reads the directory; skips fields of other types and truncated fields.

        Raises:
          struct.error: the file has no directory.
        """
        self.order = "<" if data[:2] == b"II" else ">"
        self._data = data
        self._big = data[2:4] in (b"+\0", b"\0+")
        self._word, self._counter = ("Q", "Q") if self._big else ("I", "H")
        self._fields: dict[int, tuple[int, int, int]] = {}  # type, size and offset
        word = struct.calcsize(self._word)
        (start,) = self._unpack(self._word, 8 if self._big else 4)
        (count,) = self._unpack(self._counter, start)
        start += struct.calcsize(self._counter)
        step = 4 + 2 * word
        for place in range(start, min(start + step * count, len(data) - step), step):
            tag, kind, values = self._unpack(f"HH{self._word}", place)
            if kind not in _TYPES:
                continue
            inline, size = place + 4 + word, values * _TYPES[kind][0]
            if size > word:
                (inline,) = self._unpack(self._word, inline)
            if 0 < size <= _MAX_SIZE and inline + size <= len(data):
                self._fields.setdefault(tag, (kind, size, inline))

    def _unpack(self, codes: str, place: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{self.order}{codes}", self._data, place)

    def __contains__(self, tag: Tag) -> bool:
        return tag in self._fields

    def values(self, tag: Tag, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """All numbers of a field."""
        if tag not in self._fields:
            return default
        kind, size, place = self._fields[tag]
        code = _TYPES[kind][1]
        return self._unpack(f"{size // struct.calcsize(code)}{code}", place)

    def value(self, tag: Tag, default: int | None = None) -> int:
        """First number of a field.

        Raises:
          ValueError: the field is missing and there is no default.
        """
        values = self.values(tag) or (default,)
        if values[0] is None:
            raise ValueError(f"TIFF field {tag.name} is missing or broken")
        return values[0]

    def raw(self, tag: Tag) -> bytes:
        """Bytes of a field; empty if it is missing."""
        _, size, place = self._fields.get(tag, (0, 0, 0))
        return self._data[place : place + size]

    def with_fields(self, fields: Mapping[int, tuple[int, ...]]) -> bytes:
        """Returns the file with another first directory, in little-endian order.

        Data that fields point to keep their offsets.  Little-endian, because Pillow
        does not read big-endian BigTIFF; compressed data have no byte order.
        """
        mark, word, counter, kind = (
            (b"II+\0\x08\0\0\0", "Q", "Q", _LONG8)
            if self._big
            else (b"II*\0", "I", "H", _LONG)
        )
        size = struct.calcsize(word)
        start = len(self._data) + len(self._data) % 2
        head = struct.pack(f"<{counter}", len(fields))
        place = start + len(head) + len(fields) * (4 + 2 * size) + size
        entries, values = [head], []
        for tag, numbers in sorted(fields.items()):
            packed = struct.pack(f"<{len(numbers)}{word}", *numbers)
            if len(numbers) > 1:
                values.append(packed)
                packed = struct.pack(f"<{word}", place)
                place += len(values[-1])
            entries.append(struct.pack(f"<HH{word}", tag, kind, len(numbers)) + packed)
        return b"".join(
            [
                mark,
                struct.pack(f"<{word}", start),
                self._data[len(mark) + size :],
                bytes(start - len(self._data)),
                *entries,
                bytes(size),
                *values,
            ]
        )
