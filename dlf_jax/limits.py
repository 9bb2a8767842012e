"""What an image may ask of a machine, for files can come from anyone."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds that are checked before the work begins.

    Attributes:
      pixels: of an image, padding to whole tiles included.
      memory: bytes of one run of the network, as XLA plans it: its arguments, results
        and temporaries.
    """

    pixels: int = 100_000_000
    memory: int = 16 * 2**30


DEFAULT_LIMITS = Limits()
