"""Outputs of the inputs of a command."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dlf_jax.cli.streams import Input, Output
from dlf_jax.errors import UserError
from dlf_jax.files import new_folder


@contextlib.contextmanager
def outputs_of(
    sources: Sequence[Input], output: Output | None, beside: str, inside: str
) -> Iterator[list[tuple[Input, Output]]]:
    """Yields inputs with their outputs, and creates the output folder.

    At the end, a new folder without files is removed.

    Args:
      sources: the inputs.
      output: a folder if there are several inputs, or if the name ends with a slash or
        is that of a folder; otherwise a file.  None puts outputs beside inputs.
      beside: ending of outputs beside inputs.
      inside: ending of outputs in a folder.

    Raises:
      UserError: two inputs have the same output, a pipe is one of several inputs, or
        the folder cannot be created.
    """
    several = len(sources) > 1
    streams = [source for source in sources if source.descriptor is not None]
    if several and streams:
        raise UserError(
            f"{streams[0]} must be the only input: use one command for each"
        )
    if several and output is not None and output.descriptor is not None:
        raise UserError(
            f"{output} takes one file: name a folder for several inputs, as in -o out/"
        )
    if output is None:
        yield _distinct([(source, source.output(beside)) for source in sources])
    elif not (several or output.is_folder):
        yield [(sources[0], output)]
    else:
        if streams:
            raise UserError(
                f"{streams[0]} has no name: name a file in {output} with -o"
            )
        jobs = _distinct(
            [(source, _inside(output, source, inside)) for source in sources]
        )
        with new_folder(output.name):
            yield jobs


def _inside(folder: Output, source: Input, ending: str) -> Output:
    name = Path(source.output(ending).name).name
    return Output(os.path.join(folder.name, name), None)


def _distinct(jobs: list[tuple[Input, Output]]) -> list[tuple[Input, Output]]:
    """Returns the jobs; raises UserError if two have the same output."""
    known: dict[str, Input] = {}
    for source, output in jobs:
        if output.descriptor is not None:
            continue
        place = os.path.normcase(os.path.realpath(output.name))
        if place in known:
            raise UserError(
                f"{known[place]} and {source} would both become {output}: rename one, "
                "or use two commands with different folders"
            )
        known[place] = source
    return jobs
