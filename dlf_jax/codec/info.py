"""Facts about a file that need no model."""

import dataclasses

from dlf_jax.codec.container import ParsedFile
from dlf_jax.entropy_coding.coders import CODERS
from dlf_jax.entropy_coding.rates import Number


@dataclasses.dataclass(frozen=True)
class FileInfo:
    """Facts about a file that need no model.

    Attributes:
      width, height: of the image, in pixels.
      rate: 0 for the smallest files; whole at a rate point of the model.
      model_id: hexadecimal start of the fingerprint of the model that wrote the file.
      coder: name of the entropy coder that wrote the payload.
      num_bytes: size of the whole file.
      payload_bytes: size of its entropy-coded part.
    """

    width: int
    height: int
    rate: Number
    model_id: str
    coder: str
    num_bytes: int
    payload_bytes: int

    @property
    def bpp(self) -> float:
        """Bits of the whole file per pixel."""
        return 8 * self.num_bytes / (self.width * self.height)


def file_info(file: ParsedFile) -> FileInfo:
    """The facts of a parsed file."""
    header = file.header
    return FileInfo(
        width=header.width,
        height=header.height,
        rate=header.rate,
        model_id=header.model_id.hex(),
        coder=CODERS[header.coder].name,
        num_bytes=file.num_bytes,
        payload_bytes=len(file.payload),
    )
