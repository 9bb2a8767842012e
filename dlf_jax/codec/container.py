"""Header and checksum around the entropy-coded payload (docs/format.md#header).

The header takes 14 bytes for images from 128 to 16383 pixels a side.  The checksum
detects every error within 16 consecutive bits, and all but one in 65536 other errors.
"""

import binascii
import dataclasses

from dlf_jax.codec.format import FINE_RATES, MAGIC, MODEL_ID_BYTES, WHOLE_RATES
from dlf_jax.entropy_coding.coders import CODERS
from dlf_jax.entropy_coding.rates import STEPS, Number, in_steps
from dlf_jax.errors import UserError

_CHECKSUM_BYTES = 2
# Larger numbers come from damaged files only.
_MAX_VARINT_BYTES = 5
DAMAGED = "the file is truncated or damaged"
_REMEDY = "copy it again, or decode what is left with `dlf decompress --best-effort`"


@dataclasses.dataclass(frozen=True)
class Header:
    """The fields of a file's header.

    Attributes:
      model_id: first bytes of the fingerprint of the model that wrote the file.
      rate: a multiple of 1/`STEPS`, 0 for the smallest files.
      width, height: of the image, in pixels.
      coder: number of the payload's entropy coder, see `entropy_coding.coders`.
    """

    model_id: bytes
    rate: Number
    width: int
    height: int
    coder: int = 0


@dataclasses.dataclass(frozen=True)
class ParsedFile:
    """A file split into its parts, each checked once.

    Attributes:
      header: its fields.
      payload: the entropy-coded bytes.
      num_bytes: size of the whole file.
      intact: the checksum fits.
    """

    header: Header
    payload: bytes
    num_bytes: int
    intact: bool = True


def pack(header: Header, payload: bytes) -> bytes:
    """Returns the bytes of a file."""
    whole = header.rate == int(header.rate)
    version, unit = (WHOLE_RATES, 1) if whole else (FINE_RATES, STEPS)
    head = b"".join(
        (
            MAGIC,
            bytes([header.coder << 4 | version]),
            header.model_id,
            _varint(int(header.rate * unit)),
            _varint(header.width),
            _varint(header.height),
        )
    )
    return head + _checksum(head, payload) + payload


def parse(data: bytes, *, damaged: bool = False) -> ParsedFile:
    """Checks a file and splits it into header and payload.

    Args:
      data: the whole file.
      damaged: accept a wrong checksum.

    Raises:
      UserError: the bytes are no DLF file, are damaged, or need a newer version.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise UserError(
            f"files are bytes, not {type(data).__name__}: pass the content of a file"
        )
    data = bytes(data)
    if not data:
        raise UserError("the file is empty: copy it again")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise UserError("this is not a DLF file: name one that `dlf compress` wrote")
    start = len(MAGIC) + 1 + MODEL_ID_BYTES
    if len(data) < start:
        raise UserError(f"{DAMAGED}: copy it again")
    coder, version = divmod(data[len(MAGIC)], 16)
    if version not in (WHOLE_RATES, FINE_RATES) or coder not in CODERS:
        raise UserError(
            "the file is damaged or was written by a newer version of dlf: copy it "
            "again, or update dlf"
        )
    fields = []
    end = start
    for _ in range(3):
        value, end = _read_varint(data, end)
        fields.append(value)
    payload = data[end + _CHECKSUM_BYTES :]
    found = data[end : end + _CHECKSUM_BYTES]
    intact = found == _checksum(data[:end], payload)
    if not (intact or damaged):
        raise UserError(f"{DAMAGED}: {_REMEDY}")
    rate, width, height = fields
    if not width * height:
        raise UserError(
            f"the file is damaged, with {width} x {height} pixels: copy it again"
        )
    if version == FINE_RATES:
        rate = in_steps(rate)
    model_id = data[start - MODEL_ID_BYTES : start]
    header = Header(model_id, rate, width, height, coder)
    return ParsedFile(header, payload, len(data), intact)


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
    """The value and the position after its last byte."""
    value = 0
    for i, byte in enumerate(data[start : start + _MAX_VARINT_BYTES]):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, start + i + 1
    raise UserError(f"{DAMAGED}: copy it again")
