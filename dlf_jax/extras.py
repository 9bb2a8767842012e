"""Optional libraries: imports them, or says how to install the missing ones."""

import importlib
from types import ModuleType

from dlf_jax.errors import UserError


def needs(module: str, extra: str, package: str | None = None) -> ModuleType:
    """Imports a library of an extra.

    Args:
      module: name in Python.
      extra: of pyproject.toml.
      package: name for pip, unless it is that of the module.

    Raises:
      UserError: the library is not installed, or does not load.
    """
    library, _, _ = module.partition(".")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        instruction = how(extra, package or library)
        raise UserError(f"{library} is missing: {instruction}") from None
    # Shared libraries that are absent, releases that do not go together: every library
    # has errors of its own for these.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{library} is installed but does not load: {reason}"
        ) from error


def how(extra: str, package: str) -> str:
    """Instruction to install an extra, or the one package of it that is asked for."""
    return (
        f'pip install ".[{extra}]" in the checkout of dlf_jax, or pip install {package}'
    )
