"""Registry of entropy coders: number in files, name for users."""

import dataclasses
import importlib
from collections.abc import Sequence
from types import ModuleType

from dlf_jax.entropy_coding.symbol_coder import SymbolDecoder, SymbolEncoder
from dlf_jax.entropy_coding.tables import Distribution
from dlf_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Coder:
    """An implementation of `SymbolEncoder` and `SymbolDecoder`.

    Attributes:
      name: name for users.
      module: module of this package, imported on first use.
      library: required package on PyPI.
    """

    name: str
    module: str
    library: str

    def encoder(self, distributions: Sequence[Distribution]) -> SymbolEncoder:
        """An encoder at the beginning of a stream.

        Raises:
          UserError: its library is not installed.
        """
        return self.load().Encoder(distributions)

    def decoder(
        self, data: bytes, distributions: Sequence[Distribution]
    ) -> SymbolDecoder:
        """A decoder of a stream, with the same distributions.

        Raises:
          UserError: its library is not installed.
        """
        return self.load().Decoder(data, distributions)

    def load(self) -> ModuleType:
        """Imports the implementation.

        Raises:
          UserError: its library is not installed.
        """
        try:
            return importlib.import_module(f"dlf_jax.entropy_coding.{self.module}")
        except ImportError as error:
            reason, *_ = [*str(error).splitlines(), ""]
            raise UserError(
                f"the entropy coder {self.name!r} needs {self.library}, which is not "
                f"installed or does not load here ({reason}): requirements.txt of the "
                "repository has the releases that fit"
            ) from error


# By the number in files.  Every installation has the first one.
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
    raise UserError(f"unknown entropy coder {name!r}: use one of {names}")
