"""Resource limits for untrusted images and files."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits that are checked before coding begins.

    Attributes:
      pixels: number of an image, padding to whole tiles included.
      memory: bytes of one run of the network, as XLA plans it: its arguments, results
        and temporaries; of a network on tiles, the values that are held at a time.
    """

    pixels: int = 100_000_000
    memory: int = 16 * 2**30


DEFAULT_LIMITS = Limits()
