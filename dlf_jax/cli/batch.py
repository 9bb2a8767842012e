"""Work on one file or on many, and its report."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import click

from dlf_jax.cli.environment import device, peak_memory
from dlf_jax.cli.failures import Files
from dlf_jax.cli.quality import Quality
from dlf_jax.cli.reports import Style, as_line
from dlf_jax.cli.session import collect_garbage, status
from dlf_jax.cli.streams import Input, Output


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

    def summary(self, results: Sequence[Result]) -> list[str]:
        """Returns parts of the summary of many files, in front of the time."""


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
