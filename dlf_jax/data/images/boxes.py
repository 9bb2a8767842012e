"""Boxes of ISO base media files (ISO/IEC 14496-12).

JPEG 2000, HEIF, AVIF and JPEG XL use this container."""

import struct
from collections.abc import Iterator


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields type and content of each box; the last box may be truncated."""
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        start = place + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        end = place + size if size else len(data)
        if end < start:
            return
        yield kind, data[start:end]
        place = end


def first(data: bytes, kind: bytes) -> bytes:
    """Content of the first box of a type; empty if there is none."""
    return next((body for name, body in boxes(data) if name == kind), b"")
