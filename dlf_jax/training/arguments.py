"""Command lines with settings: those of ``dlf train`` and ``dlf aot``."""

import os
import re
import sys
from typing import NoReturn

from absl import flags


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
        print(description, *options, sep="\n")
        sys.exit()
    try:
        extra = flags.FLAGS([_with_home(argument) for argument in argv])[1:]
        if config.value is not None:
            config.value.lock()  # raises what was wrong with the file
    except (AttributeError, KeyError) as error:
        fail(f"there is no setting {re.search('[a-z_0-9]+', str(error))[0]}")
    except (flags.Error, OSError, TypeError, ValueError) as error:
        # ml_collections puts a traceback into the message; its last line says it all.
        *_, last = str(error).strip().splitlines()
        fail(f"{last.strip().removeprefix('ValueError: ')}; see {command} --help")
    if extra:
        fail(f"unexpected argument {extra[0]}; see {command} --help")


def _with_home(argument: str) -> str:
    """``--name=~/path`` with the home directory; the shell expands ``~/path`` alone."""
    name, equals, value = argument.partition("=")
    return name + equals + os.path.expanduser(value)


def fail(message: str) -> NoReturn:
    """Ends the process over something that the user can put right."""
    print(f"dlf: {message}", file=sys.stderr)
    sys.exit(2)
