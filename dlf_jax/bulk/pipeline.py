"""The Beam pipeline around the work: batches, errors, outputs, counts."""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult

from dlf_jax import interruption, strict_json
from dlf_jax.bulk import files
from dlf_jax.errors import UserError
from dlf_jax.files import printable

_NAMESPACE = "dlf"
_QUIET = "--default_sdk_harness_log_level=ERROR"
# Files that a worker takes at a time.
_MAX_BATCH = 16


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
    """Batches of (input, output) paths to lines {"file", "error"} of those that fail.

    What can go wrong with one file must not stop the others, whatever it is.

    Args:
      work: what is done with a file.
    """

    def __init__(self, work: Work):
        self._work = work
        self._done = Metrics.counter(_NAMESPACE, "done")
        self._failed = Metrics.counter(_NAMESPACE, "failed")

    def setup(self) -> None:
        """Loads the model, once a worker."""
        self._function = self._work.open()

    def process(self, batch: Sequence[tuple[str, str]]) -> Iterator[str]:
        """Reads, works and writes, file by file."""
        for source, target in batch:
            try:
                files.write(target, self._function(files.read(source)))
                self._done.inc()
            except Exception as error:  # a file can break any library in its way
                known = isinstance(error, UserError)
                reason = str(error) if known else f"{type(error).__name__}: {error}"
                self._failed.inc()
                failure = {"file": source, "error": " ".join(reason.split())}
                failure = {name: printable(text) for name, text in failure.items()}
                yield strict_json.dumps(failure)


def run(
    work: Work, pattern: str, output: str, runner: str, options: Sequence[str]
) -> Counts:
    """Works on all files that have no output yet.

    Args:
      work: what is done with a file.
      pattern: of the inputs.
      output: folder; receives `output_of` every input, ``errors.jsonl``, and
        ``job.txt``, so that it has results of one kind only.
      runner: Beam's name of one.
      options: Beam's, as on its command lines.

    Raises:
      UserError: nothing matches, `output` has wildcards or belongs to other work, or
        Beam cannot start or finish.
    """
    if files.has_wildcards(output):
        raise UserError(f"the name of the output {output} must not have *, ? or [")
    pattern = pattern if "/" in pattern else f"./{pattern}"
    pairs = [
        (path, output_of(path, pattern, output, work.suffix))
        for path in files.matches(pattern, work.inputs)
    ]
    _claim(output, work)
    there = set(files.listed(f"{output}/**{work.suffix}"))
    todo = [(source, target) for source, target in pairs if target not in there]
    with pipeline(runner, options) as (graph, result):
        outcome = (
            graph
            | "Files" >> beam.Create(todo)
            | "Spread" >> beam.Reshuffle()
            | "Batch" >> beam.BatchElements(min_batch_size=1, max_batch_size=_MAX_BATCH)
            | "Work" >> beam.ParDo(Process(work))
        )
        outcome | "Errors" >> write_lines(f"{output}/errors.jsonl")
    return Counts(
        done=_count(result(), "done"),
        before=len(pairs) - len(todo),
        failed=_count(result(), "failed"),
    )


def _claim(output: str, work: Work) -> None:
    """Says in `output` what it is for, or finds that it is for this."""
    path = f"{output}/job.txt"
    if not files.exists(path):
        files.write(path, f"{work}\n".encode())
    elif files.read(path) != f"{work}\n".encode():
        raise UserError(
            f"{output} has results of {files.read(path).decode().strip()}, not of "
            f"{work}: use another --output"
        )


def output_of(path: str, pattern: str, output: str, suffix: str) -> str:
    """``OUTPUT/a/b.png.dlf`` for ``PHOTOS/a/b.png`` and the pattern ``PHOTOS/**.png``.

    Endings are kept, so that b.png and b.jpg have outputs of their own.
    """
    return f"{output}/{files.relative(path, pattern)}{suffix}"


@contextlib.contextmanager
def pipeline(
    runner: str, options: Sequence[str]
) -> Iterator[tuple[beam.Pipeline, Callable[[], PipelineResult]]]:
    """A pipeline that runs when the block ends, and its result after that.

    Raises:
      UserError: Beam cannot start or finish.
    """
    graph = _pipeline(runner, options)
    results = []
    yield graph, lambda: results[0]
    try:
        result = interruption.spare_children(graph.run)
        interruption.spare_children(result.wait_until_finish)
    except Exception as error:  # every runner raises kinds of its own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{runner} failed: {reason[-1]}") from error
    results.append(result)


def _pipeline(runner: str, options: Sequence[str]) -> beam.Pipeline:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            parsed = PipelineOptions([_QUIET, *options, f"--runner={runner}"])
            known = parsed.get_all_options()
        given = parsed.get_all_options(retain_unknown_options=True)
        if unknown := given.keys() - known.keys():
            raise ValueError(f"there is no --{min(unknown)}")
        return beam.Pipeline(options=parsed)
    except (ValueError, SystemExit) as error:
        reason = printed.getvalue().strip().splitlines() or [str(error)]
        raise UserError(f"Beam refuses its options: {reason[-1]}") from error


def write_lines(path: str, header: str | None = None) -> beam.PTransform:
    """Strings to the lines of one file."""
    return beam.io.WriteToText(
        path, num_shards=1, shard_name_template="", header=header
    )


def _count(result: PipelineResult, name: str) -> int:
    wanted = MetricsFilter().with_namespace(_NAMESPACE).with_name(name)
    return sum(c.result for c in result.metrics().query(wanted)["counters"])
