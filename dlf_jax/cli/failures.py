"""Failures of single files, which do not stop the work on other files."""

import contextlib
import sys
from collections.abc import Iterator

import click

from dlf_jax.cli.memory import enough_memory
from dlf_jax.cli.reports import Style, as_line
from dlf_jax.cli.streams import Input, Output
from dlf_jax.errors import UserError
from dlf_jax.files import printable

_FAILED = 1


class Files:
    """Failures of files, and lines around the bar.

    The failure of one of several files, or of any file with --json, is reported, and
    the other files are done.  Otherwise a failure ends the command.

    Args:
      command: name of the command.
      number: of files.
      style: of the report.

    Attributes:
      alone: the failure of a file ends the command.
      failed: number of failures.
    """

    def __init__(self, command: str, number: int, style: Style):
        self._command = command
        self._json = style.json
        self._bar = None
        if number > 1:
            from tqdm import tqdm

            hidden = True if style.quiet else None  # None: shown on terminals
            self._bar = tqdm(total=number, unit="file", disable=hidden, leave=False)
        self.alone = number == 1 and not style.json
        self.failed = 0

    @contextlib.contextmanager
    def work(self, source: Input, output: Output | None = None) -> Iterator[None]:
        """Reports errors of the work on a file in this block."""
        try:
            with enough_memory(lambda: self._command):
                yield
        except UserError as error:
            if self.alone:
                raise
            self.failed += 1
            if self._json:
                facts = {
                    "file": printable(str(source)),
                    "error": " ".join(str(error).split()),
                }
                self.show(as_line(facts), output=output)
            else:
                self.complain(source, str(error))
        if self._bar is not None:
            self._bar.update()

    def show(self, *lines: str, output: Output | None = None) -> None:
        """Prints lines on stdout, or beside an output."""
        with self._above_bar():
            if output is not None:
                output.report(*lines)
                return
            for line in lines:
                click.echo(line)

    def complain(self, source: Input, message: str) -> None:
        """Prints a message about a file on stderr, as one line with the file's name."""
        name = str(source)
        line = message if name in message else f"{name}: {message}"
        with self._above_bar(), contextlib.suppress(OSError):
            print("dlf:", " ".join(line.split()), file=sys.stderr)

    @contextlib.contextmanager
    def _above_bar(self) -> Iterator[None]:
        if self._bar is None:
            yield
            return
        with self._bar.external_write_mode():
            yield

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()

    def end(self) -> None:
        """Ends the command with status 1 after a failure."""
        if self.failed:
            sys.exit(_FAILED)
