"""The program ``dlf``: one command a module, and one line on stderr for every error."""

import io
import os
import sys

import click

import dlf_jax
from dlf_jax import libtpu
from dlf_jax.cli.bulk import bulk
from dlf_jax.cli.compress import compress
from dlf_jax.cli.convert import convert
from dlf_jax.cli.decompress import decompress
from dlf_jax.cli.evaluate import evaluate
from dlf_jax.cli.info import info
from dlf_jax.cli.models import models
from dlf_jax.cli.train import aot, export, train
from dlf_jax.errors import UserError

_USER_ERROR = 2
_INTERRUPTED = 130


class _Program(click.Group):
    """A group whose errors are single lines."""

    def main(self, args: list[str] | None = None, **_) -> None:
        """Runs a command and ends the process.

        The exit status is 0, 2 after an error of the user, 130 after Ctrl-C.
        """
        # Libraries below jax would add lines of their own.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if not libtpu.has_tpu():
            libtpu.expect_no_tpu()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # names of any bytes
        try:
            status = super().main(args, prog_name="dlf", standalone_mode=False)
        except UserError as error:
            status = _fail(str(error), _USER_ERROR)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "dlf"
            hint = f"{error.format_message()} See `{path} --help`."
            status = _fail(hint, _USER_ERROR)
        except click.ClickException as error:
            status = _fail(error.format_message(), _USER_ERROR)
        except MemoryError:
            status = _fail("there is not enough memory for this image", _USER_ERROR)
        except (click.Abort, KeyboardInterrupt):
            status = _fail("interrupted", _INTERRUPTED)
        except RuntimeError as error:  # of XLA
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            status = _fail(f"the device has not enough memory: {error}", _USER_ERROR)
        sys.exit(status)


def _fail(message: str, status: int) -> int:
    print("dlf:", " ".join(message.split()), file=sys.stderr)
    return status


@click.group(cls=_Program, invoke_without_command=True)
@click.version_option(dlf_jax.__version__, prog_name="dlf")
@click.pass_context
def main(context: click.Context) -> None:
    """Compresses photos into files of around a kilobyte, and gets them back."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (
    compress,
    decompress,
    info,
    models,
    evaluate,
    bulk,
    convert,
    train,
    export,
    aot,
):
    main.add_command(_command)
