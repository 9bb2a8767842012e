"""Results of `work.Evaluate`, put together: results.csv and means.jsonl."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam

from dlf_jax import strict_json
from dlf_jax.bulk import files
from dlf_jax.bulk.pipeline import pipeline, write_lines
from dlf_jax.files import printable
from dlf_jax.metrics.table import restored

_KEY = ("codec", "setting")
_COUNT = "images"


class Mean(beam.CombineFn):
    """Rows to the mean of every column, over the rows that have a value.

    Args:
      columns: names.
    """

    def __init__(self, columns: Sequence[str]):
        self._columns = columns

    def create_accumulator(self) -> dict[str, tuple[float, int]]:
        """Sum and number of values, by column."""
        return dict.fromkeys((_COUNT, *self._columns), (0.0, 0))

    def add_input(self, accumulator: dict, row: Mapping[str, Any]) -> dict:
        """Counts a row."""
        values = {_COUNT: 1.0} | {name: row[name] for name in self._columns}
        added = {k: (0.0, 0) if v is None else (v, 1) for k, v in values.items()}
        return self.merge_accumulators([accumulator, added])

    def merge_accumulators(self, accumulators: Iterable[dict]) -> dict:
        """Adds up."""
        total = self.create_accumulator()
        for one in accumulators:
            total = {k: (v + one[k][0], n + one[k][1]) for k, (v, n) in total.items()}
        return total

    def extract_output(self, accumulator: dict) -> dict[str, Any]:
        """Number of images, and means; None where no row has a value."""
        means = {k: v / n if n else None for k, (v, n) in accumulator.items()}
        return means | {_COUNT: accumulator[_COUNT][1]}


def summarize(output: str, runner: str, options: Sequence[str]) -> list[dict[str, Any]]:
    """Writes both files from all results in a folder, those of earlier runs included.

    Args:
      output: folder of results.
      runner, options: as of `dlf_jax.bulk.pipeline.run`.

    Returns:
      One dictionary for each codec and setting; none where there are no results.

    Raises:
      UserError: as of `pipeline`.
    """
    results = files.listed(f"{output}/**.json")
    if not results:
        return []
    names = list(next(_rows(results[0], output)))
    columns = [name for name in names if name not in ("image", *_KEY)]
    with pipeline(runner, options) as (graph, _):
        rows = (
            graph
            | "Results" >> beam.Create(results)
            | "Spread" >> beam.Reshuffle()
            | "Rows" >> beam.FlatMap(_rows, output)
        )
        lines = rows | "Lines" >> beam.Map(_line, names)
        lines | "Table" >> write_lines(f"{output}/results.csv", ",".join(names))
        means = (
            rows
            | "Key" >> beam.Map(lambda row: (tuple(row[k] for k in _KEY), row))
            | "Means" >> beam.CombinePerKey(Mean(columns))
            | "Records"
            >> beam.Map(
                lambda kv: strict_json.dumps(
                    dict(zip(_KEY, kv[0], strict=True)) | kv[1]
                )
            )
        )
        means | "Summary" >> write_lines(f"{output}/means.jsonl")
    text = files.read(f"{output}/means.jsonl").decode()
    means = [restored(json.loads(line)) for line in text.splitlines()]
    return sorted(means, key=lambda m: [m[k] for k in _KEY])


def _rows(path: str, output: str) -> Iterator[dict[str, Any]]:
    name = printable(path[len(output) + 1 :].removesuffix(".json"))
    for row in json.loads(files.read(path)):
        yield {"image": name} | restored(row)


def _line(row: Mapping[str, Any], names: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow([row[name] for name in names])
    return buffer.getvalue()
