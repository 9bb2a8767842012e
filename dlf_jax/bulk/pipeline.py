"""The Beam pipeline around the work: files to do, outputs, errors, counts.

Runners support different parts of Beam: that of Dask drops the output of
`finish_bundle`, runs only the branch of the last transform, and has no counters.  The
pipeline is therefore one `Create` and one `ParDo` whose results are files, and counts
are numbers of files after the end of the pipeline.
"""

import functools
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import apache_beam as beam

from dlf_jax import interruption, strict_json
from dlf_jax.bulk import files
from dlf_jax.bulk.options import pipeline
from dlf_jax.errors import UserError
from dlf_jax.files import printable

# Elements of the pipeline, whatever the number of files: enough to spread the work.
_MAX_SPANS = 4096


@runtime_checkable
class Work(Protocol):
    """See `dlf_jax.bulk.work`."""

    inputs: frozenset[str]  # extensions of the files that it takes from a folder
    suffix: str

    def open(self) -> Callable[[bytes], bytes]:
        """The function from the bytes of an input to those of its output."""


class Counts(NamedTuple):
    """Files of a run: done by it, done by an earlier one, failed."""

    done: int
    before: int
    failed: int


class Process(beam.DoFn):
    """Works on the files of a span of the list ``SCRATCH.todo``.

    An error of any kind with one file must not stop the others: the errors of a span
    become the file ``SCRATCH-START.errors``.

    Args:
      work: the work on each file.
      scratch: beginning of the names of temporary files.
    """

    def __init__(self, work: Work, scratch: str):
        self._work = work
        self._scratch = scratch

    def setup(self) -> None:
        """Loads the model, once per worker."""
        self._function = self._work.open()

    def process(self, span: tuple[int, int]) -> None:
        """Reads, works and writes, file by file; `span` is (start, length) in bytes."""
        failures = []
        for line in files.read(f"{self._scratch}.todo", *span).splitlines():
            source, target = json.loads(line)
            try:
                files.write(target, self._function(files.read(source)))
            except Exception as error:  # files can break libraries in any way
                known = isinstance(error, UserError)
                reason = str(error) if known else f"{type(error).__name__}: {error}"
                failures.append({"file": source, "error": " ".join(reason.split())})
        if failures:
            files.write(f"{self._scratch}-{span[0]}.errors", _lines(failures))


def run(
    work: Work, pattern: str, output: str, runner: str, options: Sequence[str]
) -> Counts:
    """Works on all files that have no output yet.

    Args:
      work: the work on each file.
      pattern: of the inputs.
      output: folder; receives `output_of` every input, ``errors.jsonl``, and
        ``job.txt``, which reserves the folder for this work.
      runner, options: as of `dlf_jax.bulk.options.pipeline`.

    Raises:
      UserError: nothing matches, `output` has wildcards or belongs to other work, Beam
        cannot start or finish, or files have neither an output nor an error after it.
    """
    if files.has_wildcards(output):
        raise UserError(f"the name of the output {output} must not have *, ? or [")
    # Workers may have other working directories.
    pattern, output = files.absolute(pattern), files.absolute(output)
    targets = {
        path: output_of(path, pattern, output, work.suffix)
        for path in files.matches(pattern, work.inputs)
    }
    graph = pipeline(runner, options)
    _claim(output, work)
    there = _outputs(output, work)
    todo = {source: t for source, t in targets.items() if t not in there}
    errors = _execute(graph, work, todo, output, runner) if todo else {}

    there = _outputs(output, work)
    failed = {s: e for s, e in errors.items() if todo[s] not in there}
    records = [
        {"file": printable(source), "error": printable(error)}
        for source, error in sorted(failed.items())
    ]
    files.write(f"{output}/errors.jsonl", _lines(records))
    done = sum(target in there for target in todo.values())
    if lost := len(todo) - done - len(failed):
        raise UserError(
            f"{runner} left {lost} of {len(todo)} files with neither an output nor an "
            "error: repeat the command, or use another --runner"
        )
    return Counts(done, len(targets) - len(todo), len(failed))


def output_of(path: str, pattern: str, output: str, suffix: str) -> str:
    """``OUTPUT/a/b.png.dlf`` for ``PHOTOS/a/b.png`` and the pattern ``PHOTOS/**.png``.

    Endings are kept, so that b.png and b.jpg have outputs of their own.
    """
    return f"{output}/{files.relative(path, pattern)}{suffix}"


def _claim(output: str, work: Work) -> None:
    """Reserves `output` for `work`, or checks that it is."""
    path = f"{output}/job.txt"
    if not files.exists(path):
        files.write(path, f"{work}\n".encode())
    elif files.read(path) != f"{work}\n".encode():
        raise UserError(
            f"{output} has results of {files.read(path).decode().strip()}, not of "
            f"{work}: use another --output"
        )


def _outputs(output: str, work: Work) -> set[str]:
    return set(files.listed(f"{output}/**{work.suffix}"))


def _execute(
    graph: beam.Pipeline, work: Work, todo: Mapping[str, str], output: str, runner: str
) -> dict[str, str]:
    """Runs the pipeline over sources and their targets; returns errors by source."""
    _clean(output)  # A run that was killed may have left files.
    scratch = f"{output}/run-{secrets.token_hex(4)}"
    lines = [_lines([pair]) for pair in todo.items()]
    with interruption.cleaning(functools.partial(_clean, output)):
        # Names stay out of the pipeline: services limit its size to a few megabytes.
        files.write(f"{scratch}.todo", b"".join(lines))
        (
            graph
            | "Files" >> beam.Create(spans([len(line) for line in lines], _MAX_SPANS))
            | "Work" >> beam.ParDo(Process(work, scratch))
        )
        _wait(graph, runner)
        parts = files.read_all(files.listed(f"{scratch}-*.errors"))
        records = map(json.loads, b"".join(parts).splitlines())
        return {record["file"]: record["error"] for record in records}


def spans(lengths: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Consecutive lines in up to `most` equal parts, as (start, length) in bytes."""
    size = -(-len(lengths) // most)
    found, start = [], 0
    for i in range(0, len(lengths), size):
        length = sum(lengths[i : i + size])
        found.append((start, length))
        start += length
    return found


def _wait(graph: beam.Pipeline, runner: str) -> None:
    try:
        result = interruption.spare_children(graph.run)
        interruption.spare_children(result.wait_until_finish)
    except UserError:
        raise
    except Exception as error:  # every runner raises kinds of its own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{runner} failed: {reason[-1]}") from error


def _clean(output: str) -> None:
    for kind in ("todo", "errors"):
        files.delete(files.listed(f"{output}/run-*.{kind}"))
    files.delete(files.unfinished(output))


def _lines(values: Sequence) -> bytes:
    return "".join(strict_json.dumps(value) + "\n" for value in values).encode()
