"""Summaries of the results of `work.Evaluate`: results.csv and means.jsonl.

One process reads and sums the small files, with every runner.
"""

import array
import collections
import csv
import io
import json
import statistics
from collections.abc import Iterator
from typing import Any

from dlf_jax import strict_json
from dlf_jax.bulk import files
from dlf_jax.files import printable
from dlf_jax.metrics.table import restored

_KEY = ("codec", "setting")


def summarize(output: str) -> list[dict[str, Any]]:
    """Writes both files from all results in a folder, those of earlier runs included.

    Args:
      output: folder of results.

    Returns:
      One dictionary for each codec and setting: number of images and the mean of every
      column over the images that have a value, None where none has.  Empty, and nothing
      is written, if there are no results.

    Raises:
      UserError: a file cannot be read or written.
    """
    table, means = io.StringIO(), {}
    writer = None
    for row in _rows(output):
        if writer is None:
            writer = csv.DictWriter(table, row, lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
        key = tuple(row[name] for name in _KEY)
        means.setdefault(key, Means()).add(row)
    if not means:
        return []
    records = [
        dict(zip(_KEY, key, strict=True)) | mean.result()
        for key, mean in sorted(means.items())
    ]
    lines = "".join(strict_json.dumps(record) + "\n" for record in records)
    files.write(f"{output}/results.csv", table.getvalue().encode())
    files.write(f"{output}/means.jsonl", lines.encode())
    return records


class Means:
    """Means of the columns of rows, over the rows that have a value."""

    def __init__(self):
        self._images = 0
        self._columns = collections.defaultdict(lambda: array.array("d"))

    def add(self, row: dict[str, Any]) -> None:
        """Adds a row."""
        self._images += 1
        for name, value in row.items():
            if name not in ("image", *_KEY):
                self._columns[name].extend([] if value is None else [value])

    def result(self) -> dict[str, Any]:
        """Returns the number of rows as "images", and means; None without any value."""
        columns = self._columns.items()
        return {"images": self._images} | {
            name: statistics.fmean(values) if values else None
            for name, values in columns
        }


def _rows(output: str) -> Iterator[dict[str, Any]]:
    pattern = f"{output}/**.json"
    paths = files.listed(pattern)
    for path, data in zip(paths, files.read_all(paths), strict=True):
        image = printable(files.relative(path, pattern).removesuffix(".json"))
        for row in json.loads(data):
            yield {"image": image} | restored(row)
