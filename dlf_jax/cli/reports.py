"""Reports of commands: text or JSON, with more or fewer lines."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import click

from dlf_jax import strict_json
from dlf_jax.cli.environment import describe
from dlf_jax.files import printable

json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object a line; docs/commands.md lists the keys.",
)


@dataclasses.dataclass(frozen=True)
class Style:
    """The form of a report.

    Attributes:
      json: one JSON object a line instead of text.
      quiet: errors, warnings and JSON objects only.
      verbose: with versions, device, peak memory, and a line for each of several files.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False

    def begin(self) -> None:
        """Prints versions and device on stderr, if they are wanted."""
        if self.verbose:
            for line in describe():
                click.echo(line, err=True)


def style_options(command: Callable) -> Callable:
    """Adds --json, --quiet and --verbose; passes `style`."""

    @json_option
    @click.option("-q", "--quiet", is_flag=True, help="Print errors and warnings only.")
    @click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Also print versions and device, and more about each file.",
    )
    @functools.wraps(command)
    def wrapped(as_json: bool, quiet: bool, verbose: bool, **kwargs):
        if quiet and verbose:
            raise click.UsageError("Use either --quiet or --verbose.")
        return command(style=Style(as_json, quiet, verbose), **kwargs)

    return wrapped


def as_line(facts: Mapping[str, Any]) -> str:
    """Returns facts as one line of JSON."""
    return strict_json.dumps(facts)


def file_facts(
    source: object, about: "dlf_jax.codec.info.FileInfo", output: object = None
) -> dict[str, Any]:
    """Returns the facts about a .dlf file that several commands report.

    Args:
      source: input of the command.
      about: the file.
      output: of the command; None for a command without outputs.
    """
    names = {"file": printable(str(source))}
    if output is not None:
        names["output"] = printable(str(output))
    return names | {
        "width": about.width,
        "height": about.height,
        "bytes": about.num_bytes,
        "bpp": about.bpp,
        "rate": about.rate,
        "model_id": about.model_id,
        "coder": about.coder,
    }
