"""The header around the entropy-coded payload, see docs/format.md.

14 bytes for images from 128 to 16383 pixels a side.  The checksum finds every damage
within 16 consecutive bits and all but one in 65536 others.
"""

import binascii
import dataclasses

from dlf_jax.codec import spec
from dlf_jax.entropy_coding.coders import CODERS
from dlf_jax.errors import UserError

_CHECKSUM_BYTES = 2
# No field needs more: larger numbers only come from damaged files.
_MAX_VARINT_BYTES = 5
_DAMAGED = "the file is truncated or damaged"


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file says about itself.

    Attributes:
      model_id: first bytes of the fingerprint of the model that wrote it.
      rate: rate index, 0 for the smallest files.
      width, height: of the image, in pixels.
      coder: entropy coder of the payload, see `entropy_coding.coders`.
    """

    model_id: bytes
    rate: int
    width: int
    height: int
    coder: int = 0


def pack(header: Header, payload: bytes) -> bytes:
    """Returns the bytes of a file."""
    head = b"".join(
        (
            spec.MAGIC,
            bytes([header.coder << 4 | spec.FORMAT_VERSION]),
            header.model_id,
            _varint(header.rate),
            _varint(header.width),
            _varint(header.height),
        )
    )
    return head + _checksum(head, payload) + payload


def unpack(data: bytes, *, damaged: bool = False) -> tuple[Header, bytes]:
    """Checks a file and splits it.

    Args:
      data: the whole file.
      damaged: accept a checksum that does not fit.

    Returns:
      (header, payload).

    Raises:
      UserError: the file is no DLF file, or damaged, or needs a newer version.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise UserError(f"files are bytes, not {type(data).__name__}")
    data = bytes(data)
    if not data:
        raise UserError("the file is empty")
    if data[: len(spec.MAGIC)] != spec.MAGIC[: len(data)]:
        raise UserError("this is not a DLF file")
    start = len(spec.MAGIC) + 1 + spec.MODEL_ID_BYTES
    if len(data) < start:
        raise UserError(_DAMAGED)
    coder, version = divmod(data[len(spec.MAGIC)], 16)
    if version != spec.FORMAT_VERSION or coder not in CODERS:
        raise UserError("the file is damaged or was written by a newer version of dlf")
    fields = []
    end = start
    for _ in range(3):
        value, end = _read_varint(data, end)
        fields.append(value)
    payload = data[end + _CHECKSUM_BYTES :]
    found = data[end : end + _CHECKSUM_BYTES]
    if found != _checksum(data[:end], payload) and not damaged:
        raise UserError(_DAMAGED)
    rate, width, height = fields
    if not width * height:
        raise UserError(f"the file holds {width} x {height} pixels")
    model_id = data[start - spec.MODEL_ID_BYTES : start]
    return Header(model_id, rate, width, height, coder), payload


def _checksum(head: bytes, payload: bytes) -> bytes:
    crc = binascii.crc_hqx(payload, binascii.crc_hqx(head, 0))
    return crc.to_bytes(_CHECKSUM_BYTES, "big")


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _read_varint(data: bytes, start: int) -> tuple[int, int]:
    """Value and the position after it."""
    value = 0
    for i, byte in enumerate(data[start : start + _MAX_VARINT_BYTES]):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, start + i + 1
    raise UserError(_DAMAGED)
