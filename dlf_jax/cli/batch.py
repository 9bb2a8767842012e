"""Work on one file or on many: order of work, failures, bar, summary, exit status."""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import click

from dlf_jax.cli.environment import device, peak_memory
from dlf_jax.cli.memory import enough_memory
from dlf_jax.cli.quality import Quality
from dlf_jax.cli.reports import Style, as_line
from dlf_jax.cli.session import collect_garbage, status
from dlf_jax.cli.streams import Input, Output
from dlf_jax.errors import UserError
from dlf_jax.files import printable

_FAILED = 1


@dataclasses.dataclass(frozen=True)
class Result:
    """A finished file.

    Attributes:
      facts: JSON values.
      lines: text.
      began: time at which the coding began, of `time.perf_counter`.
      seconds: duration of the coding.
      quality: of the decoded image, if it was asked for.
      warning: about the input; "" for none.
    """

    facts: Mapping[str, Any]
    lines: Sequence[str]
    began: float
    seconds: float
    quality: Quality | None = None
    warning: str = ""


@runtime_checkable
class Work(Protocol):
    """Work of a command.

    Attributes:
      command: name of the command.
      coding: word for the coding itself, such as "encoding".
    """

    command: str
    coding: str

    def prepare(self) -> None:
        """Checks what concerns all files, such as the model; raises UserError."""

    def __call__(self, source: Input, output: Output) -> Result:
        """Works on one file; raises UserError."""

    def summary(self, results: Sequence[Result]) -> Iterator[str]:
        """Yields parts of the summary of many files."""


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


def run(jobs: Sequence[tuple[Input, Output]], work: Work, style: Style) -> None:
    """Does the work on files and reports it.

    Raises:
      UserError: the work on a single file fails, or the preparation for several.
    """
    start = time.perf_counter()
    style.begin()
    files = Files(work.command, len(jobs), style)
    results = []
    with contextlib.closing(files):
        if not files.alone:
            work.prepare()
            collect_garbage()  # imports are done, and the work may take hours
        for source, output in jobs:
            with files.work(source, output):
                if len(jobs) == 1 and not style.quiet:
                    with status(f"{work.command}ing {source}"):
                        result = work(source, output)
                else:
                    result = work(source, output)
                results.append(result)
                if result.warning and files.alone:
                    output.note(result.warning)
                elif result.warning and not style.json:
                    files.complain(source, result.warning)
                files.show(*_lines(result, work, style, files, start), output=output)
    if len(jobs) > 1 and not (style.json or style.quiet):
        failed = f", {files.failed} failed" if files.failed else ""
        parts = *work.summary(results), f"{time.perf_counter() - start:.1f} s"
        click.echo(f"{work.command}ed {len(results)} files{failed}: {', '.join(parts)}")
        if style.verbose:
            click.echo(_memory())
    files.end()


def _lines(
    result: Result, work: Work, style: Style, files: Files, start: float
) -> Iterator[str]:
    """Yields the lines about a file."""
    if style.json:
        more = {"device": device(), **peak_memory()} if style.verbose else {}
        yield as_line({**result.facts, **more})
    elif files.alone and not style.quiet:
        yield from result.lines
        yield (
            f"loading {result.began - start:.2f} s, "
            f"{work.coding} {result.seconds:.2f} s"
        )
        if style.verbose:
            yield _memory()
    elif style.verbose:
        yield ", ".join([*result.lines, f"{work.coding} {result.seconds:.2f} s"])


def _memory() -> str:
    """Returns the peak memory as text."""
    words = {"peak_bytes": "peak memory", "device_peak_bytes": "of the device"}
    found = peak_memory()
    return ", ".join(
        f"{text} {found[name] / 2**20:.0f} MiB"
        for name, text in words.items()
        if found[name] is not None
    )
