"""The program ``dlf``: one module per command; every error is one line on stderr."""

import contextlib
import errno
import io
import os
import sys
from typing import Any

import click

from dlf_jax import libtpu
from dlf_jax.cli.aot import aot
from dlf_jax.cli.bench import bench
from dlf_jax.cli.bulk import bulk
from dlf_jax.cli.compress import compress
from dlf_jax.cli.convert import convert
from dlf_jax.cli.decompress import decompress
from dlf_jax.cli.demo import demo
from dlf_jax.cli.environment import print_version
from dlf_jax.cli.evaluate import evaluate
from dlf_jax.cli.export import export
from dlf_jax.cli.info import info
from dlf_jax.cli.memory import enough_memory
from dlf_jax.cli.models import models
from dlf_jax.cli.train import train
from dlf_jax.errors import UserError
from dlf_jax.files import reason

_USER_ERROR = 2
_BROKEN_PIPE = 1
_INTERRUPTED = 130
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _Program(click.Group):
    """A group that prints every error as one line."""

    def main(self, args: list[str] | None = None, **_) -> None:
        """Runs a command and ends the process.

        The exit status is 0, 2 after an error of the user, 130 after Ctrl-C, and 1 if
        the reader of stdout has closed it.
        """
        # Libraries below jax would print lines of their own.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if not libtpu.has_tpu():
            libtpu.expect_no_tpu()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # names of any bytes
        try:
            status = self._run(args)
        except SystemExit as stop:
            status = stop.code
        error = _flush()
        sys.exit(_of_stdout(error) if error and not status else status)

    def _run(self, args: list[str] | None) -> int | None:
        try:
            return super().main(args, prog_name="dlf", standalone_mode=False)
        except UserError as error:
            return _fail(str(error), _USER_ERROR)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "dlf"
            hint = f"{error.format_message()} See `{path} --help`."
            return _fail(hint, _USER_ERROR)
        except click.ClickException as error:
            return _fail(error.format_message(), _USER_ERROR)
        except click.Abort:
            return _INTERRUPTED
        except OSError as error:
            # Errors of other outputs have a file name, or were caught before.
            if error.filename or error.errno not in _NO_SPACE:
                raise
            return _of_stdout(error)

    def invoke(self, context: click.Context) -> Any:
        """Runs a command, with errors that know its name."""
        try:
            with enough_memory(lambda: context.invoked_subcommand):
                return super().invoke(context)
        except KeyboardInterrupt:  # after which click would print an empty line
            raise click.exceptions.Exit(_fail("interrupted", _INTERRUPTED)) from None


def _flush() -> OSError | None:
    """Flushes stdout and returns the error; Python then has nothing left to flush."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):  # stdout without descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    return None


def _of_stdout(error: OSError) -> int:
    """Returns the status of an error of stdout, and prints all but a closed pipe."""
    if isinstance(error, BrokenPipeError):
        return _BROKEN_PIPE
    return _fail(f"cannot write to stdout: {reason(error)}", _USER_ERROR)


def _fail(message: str, status: int) -> int:
    with contextlib.suppress(OSError):  # stderr cannot be written either
        print("dlf:", " ".join(message.split()), file=sys.stderr)
    return status


@click.group(cls=_Program, invoke_without_command=True)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Print versions, devices and bundled models, for bug reports, and exit.",
)
@click.pass_context
def main(context: click.Context) -> None:
    """Compresses photos into files of around a kilobyte, and decompresses them."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (
    compress,
    decompress,
    info,
    models,
    evaluate,
    bench,
    bulk,
    convert,
    train,
    export,
    demo,
    aot,
):
    main.add_command(_command)
