"""The entropy coders, by the number and the name that files and users know them by."""

import dataclasses
import importlib
from collections.abc import Sequence

from dlf_jax.entropy_coding.symbol_coder import SymbolDecoder, SymbolEncoder
from dlf_jax.entropy_coding.tables import Distribution
from dlf_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Coder:
    """An implementation of both interfaces.

    Attributes:
      name: what users call it.
      module: where it is, below this package; imported when it is used.
      library: distribution that it needs.
    """

    name: str
    module: str
    library: str

    def encoder(self, distributions: Sequence[Distribution]) -> SymbolEncoder:
        """An encoder at the beginning of a stream.

        Raises:
          UserError: its library is not installed.
        """
        return self._module().Encoder(distributions)

    def decoder(
        self, data: bytes, distributions: Sequence[Distribution]
    ) -> SymbolDecoder:
        """A decoder of a stream, with the same distributions.

        Raises:
          UserError: its library is not installed.
        """
        return self._module().Decoder(data, distributions)

    def _module(self):
        try:
            return importlib.import_module(f"dlf_jax.entropy_coding.{self.module}")
        except ImportError as error:
            raise UserError(
                f"the entropy coder {self.name!r} needs {self.library}, which is not "
                f"installed or does not load here ({error})".splitlines()[0]
            ) from error


# By the number that files carry.  Only the first is there on every installation.
CODERS: dict[int, Coder] = {
    0: Coder("range", "range_coder", "constriction"),
    1: Coder("tfc", "tfc_coder", "tensorflow-compression-ops"),
}


def coder_id(name: str) -> int:
    """The number of the coder `name`.

    Raises:
      UserError: there is no such coder.
    """
    for number, coder in CODERS.items():
        if coder.name == name:
            return number
    names = ", ".join(coder.name for coder in CODERS.values())
    raise UserError(f"no entropy coder {name!r}; there are {names}")
