"""Imports of optional libraries, with instructions to install missing ones."""

import importlib
from types import ModuleType

from dlf_jax.errors import UserError


def needs(module: str, extra: str, package: str | None = None) -> ModuleType:
    """Imports and returns a library of an extra.

    Args:
      module: name in Python.
      extra: of pyproject.toml.
      package: name for pip; None: the name of the module.

    Raises:
      UserError: the library is not installed, or does not load.
    """
    library, _, _ = module.partition(".")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        instruction = how(extra, package or library)
        raise UserError(f"{library} is missing: {instruction}") from None
    # Missing shared libraries and releases that do not fit raise errors of many kinds.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{library} is installed but does not load ({reason}): install it again"
        ) from error


def how(extra: str, package: str) -> str:
    """Returns the instruction to install an extra, or a single package of the extra."""
    return (
        f'pip install ".[{extra}]" in the checkout of dlf_jax, or pip install {package}'
    )
