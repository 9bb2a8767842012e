"""Options of the commands that take settings: --config=FILE and --config.NAME=VALUE.

click reads the other options and passes these on.  ml_collections reads them, by way of
absl flags that belong to the command and not to the process.
"""

import difflib
import functools
import os
import re
from collections.abc import Callable

import click

from dlf_jax.cli.paths import TEXT
from dlf_jax.errors import UserError

_SETTING = re.compile(r"--?(?:no)?config\.([^=]+)=?(.*)", re.DOTALL)


class SettingsCommand(click.Command):
    """A command whose --help ends with the table of settings."""

    ignore_unknown_options = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses arguments; -h is --help."""
        # As an option of click's, -h would also be found inside -config.batch_size.
        return super().parse_args(ctx, ["--help" if a == "-h" else a for a in args])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table."""
        from dlf_jax.training.settings.table import explain

        formatter.write_paragraph()
        formatter.write(f"{explain()}\n")


def settings_options(command: Callable) -> Callable:
    """Adds the options; passes `config`, which is None where no file is named."""

    @click.option(
        "--config",
        "file",
        metavar="FILE[:OPTIONS]",
        type=TEXT,
        help="Settings, such as configs/dlf.py:preset=nano,stage=vqgan.",
    )
    @click.argument(
        "changes",
        metavar="[--config.NAME=VALUE]...",
        nargs=-1,
        type=click.UNPROCESSED,
    )
    @click.pass_context
    @functools.wraps(command)
    def wrapped(
        context: click.Context, file: str | None, changes: tuple[str, ...], **kwargs
    ):
        return command(config=_read(context, file, changes), **kwargs)

    return wrapped


def _read(
    context: click.Context, file: str | None, changes: tuple[str, ...]
) -> "ml_collections.ConfigDict | None":
    """The settings of a file with some changes, locked; None without a file.

    Args:
      context: of the command, which messages name.
      file: Python source with a function `get_config`; what follows a colon is the
        argument of the function.
      changes: --config.NAME=VALUE, --config.NAME VALUE, and for booleans --config.NAME
        and --noconfig.NAME.

    Raises:
      UserError: the file or a change is wrong.
      click.NoSuchOption: an argument is no setting at all.
    """
    from absl import flags
    from ml_collections import config_flags

    arguments = [] if file is None else [f"--config={file}"]
    argv = ["dlf", *arguments, *map(_with_home, changes)]
    values = flags.FlagValues()
    config = config_flags.DEFINE_config_file(
        "config", None, flag_values=values, sys_argv=argv
    )
    try:
        extra = values(argv)[1:]
        if config.value is not None:
            config.value.lock()  # raises the error of the file, if there was one
        reason = f"unexpected argument {extra[0]}" if extra else ""
    except Exception as error:  # a file of settings is code
        reason = _reason(context, file, changes, error)
    if reason:
        raise UserError(f"{reason}; see {context.command_path} --help")
    return config.value


def _reason(
    context: click.Context, file: str | None, changes: tuple[str, ...], error: Exception
) -> str:
    """Says what is wrong with the changes, or with the file.

    Raises:
      click.NoSuchOption: an argument is no setting at all.
    """
    from absl import flags

    from dlf_jax.training.settings.table import SETTINGS, out_of_range, unknown

    settings = [found.groups() for found in map(_SETTING.match, changes) if found]
    if isinstance(error, flags.UnrecognizedFlagError):
        if settings and file is None:
            return f"--config.{settings[0][0]} needs --config"
        known = [name for param in context.command.params for name in param.opts]
        known += [f"--config.{name}" for name in SETTINGS]
        option = f"--{error.flagname}"
        similar = difflib.get_close_matches(option, known, n=1)
        raise click.NoSuchOption(option, possibilities=similar, ctx=context) from error
    absent = isinstance(error, AttributeError | LookupError)
    for name, value in settings:
        blamed = str(error).startswith(f"flag --config.{name}={value}: ")
        if name not in SETTINGS and (absent or blamed):
            return unknown(name)
        if blamed:
            return out_of_range(name, value)
    # ml_collections puts a traceback into the message; its last line says it all.
    *_, last = ["no reason given", *str(error).strip().splitlines()]
    told_by_message = flags.Error, OSError, TypeError, ValueError
    kind = "" if isinstance(error, told_by_message) else f"{type(error).__name__}: "
    return kind + last.strip().removeprefix("ValueError: ")


def _with_home(argument: str) -> str:
    """``--name=~/path`` with the home directory; the shell expands ``~/path`` alone."""
    name, equals, value = argument.partition("=")
    return name + equals + os.path.expanduser(value)
