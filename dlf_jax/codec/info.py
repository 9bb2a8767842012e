"""What a file says about itself."""

import dataclasses

from dlf_jax.codec.container import unpack
from dlf_jax.entropy_coding.coders import CODERS


@dataclasses.dataclass(frozen=True)
class FileInfo:
    """Facts about a file that need no model.

    Attributes:
      width, height: of the image, in pixels.
      rate: rate index, 0 for the smallest files.
      model_id: hexadecimal start of the fingerprint of the model that wrote the file.
      coder: name of the entropy coder that wrote the payload.
      num_bytes: of the whole file.
      payload_bytes: of them, those that are entropy coded.
    """

    width: int
    height: int
    rate: int
    model_id: str
    coder: str
    num_bytes: int
    payload_bytes: int

    @property
    def bpp(self) -> float:
        """Bits of the whole file per pixel."""
        return 8 * self.num_bytes / (self.width * self.height)


def file_info(data: bytes, *, damaged: bool = False) -> FileInfo:
    """Reads the header of a file and checks the rest, unless it may be damaged.

    Raises:
      UserError: it is no intact DLF file.
    """
    header, payload = unpack(data, damaged=damaged)
    return FileInfo(
        width=header.width,
        height=header.height,
        rate=header.rate,
        model_id=header.model_id.hex(),
        coder=CODERS[header.coder].name,
        num_bytes=len(data),
        payload_bytes=len(payload),
    )
