"""Reads TensorBoard's event files without TensorBoard."""

import struct
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event


def read_events(folder: Path) -> dict[str, dict[int, object]]:
    """Summary values below `folder`: {tag: {step: number or encoded image}}."""
    found = {}
    for path in sorted(folder.rglob("events.out.tfevents.*")):
        data, start = path.read_bytes(), 0
        while start < len(data):
            # A record is its length (8 bytes), a checksum (4), data, a checksum (4).
            (length,) = struct.unpack_from("<Q", data, start)
            event = Event.FromString(data[start + 12 : start + 12 + length])
            start += length + 16
            for value in event.summary.value:
                kind = value.WhichOneof("value")
                content = getattr(value, kind)
                if kind == "image":
                    content = content.encoded_image_string
                found.setdefault(value.tag, {})[event.step] = content
    return found
