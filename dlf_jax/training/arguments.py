"""Command lines with settings: those of ``dlf train`` and ``dlf aot``."""

import os
import re
import sys
from typing import NoReturn

from absl import flags

from dlf_jax.training.settings.table import SETTINGS, explain, out_of_range, unknown

_SETTING = re.compile(r"--?(?:no)?config\.([^=]+)=?(.*)", re.DOTALL)
_TOLD_BY_MESSAGE = (flags.Error, OSError, TypeError, ValueError)


def parse(
    argv: list[str], *, command: str, config: flags.FlagHolder, description: str
) -> None:
    """Reads the arguments; whatever is wrong with them is one line on stderr.

    Args:
      argv: name of the program, and its arguments.
      command: as a user types it.
      config: flag of the settings.
      description: what --help prints before the options.
    """
    if {"-h", "--help"} & set(argv):
        _, *options = flags.FLAGS.main_module_help().strip().splitlines()
        print(description, *options, "", explain(), sep="\n")
        sys.exit()
    try:
        extra = flags.FLAGS([_with_home(argument) for argument in argv])[1:]
        if config.value is not None:
            config.value.lock()  # raises what was wrong with the file
    except Exception as error:  # a file of settings is code
        fail(f"{_reason(argv, error)}; see {command} --help")
    if extra:
        fail(f"unexpected argument {extra[0]}; see {command} --help")


def _reason(argv: list[str], error: Exception) -> str:
    """What is wrong with a command line, or with its file of settings."""
    unrecognised = isinstance(error, flags.UnrecognizedFlagError)
    absent = isinstance(error, AttributeError | LookupError)
    for name, value in (found.groups() for found in map(_SETTING.match, argv) if found):
        if unrecognised:
            return f"--config.{name} needs --config"
        blamed = str(error).startswith(f"flag --config.{name}={value}: ")
        if name not in SETTINGS and (absent or blamed):
            return unknown(name)
        if blamed:
            return out_of_range(name, value)
    # ml_collections puts a traceback into the message; its last line says it all.
    *_, last = ["no reason given", *str(error).strip().splitlines()]
    kind = "" if isinstance(error, _TOLD_BY_MESSAGE) else f"{type(error).__name__}: "
    return kind + last.strip().removeprefix("ValueError: ")


def _with_home(argument: str) -> str:
    """``--name=~/path`` with the home directory; the shell expands ``~/path`` alone."""
    name, equals, value = argument.partition("=")
    return name + equals + os.path.expanduser(value)


def fail(message: str) -> NoReturn:
    """Ends the process over something that the user can put right."""
    print(f"dlf: {message}", file=sys.stderr)
    sys.exit(2)
