"""One bad file does no harm, and means are those of all rows."""

import json

import pytest

pytest.importorskip("apache_beam")

from dlf_jax.bulk import files
from dlf_jax.bulk.means import Mean
from dlf_jax.bulk.pipeline import Process
from dlf_jax.errors import UserError


class Upper:
    """Work that some bytes are too much for."""

    inputs = frozenset({".txt"})
    suffix = ".up"

    def open(self):
        def work(data):
            if data == b"bad":
                raise UserError("this is\nbad")
            return {b"worse": None}.get(data, data.upper()).replace(b"!", b"")

        return work


def test_failures_are_lines_and_the_rest_is_done(tmp_path):
    pairs = []
    for name, data in {"a": b"x!", "b": b"bad", "c": b"worse", "d": b"y"}.items():
        files.write(f"{tmp_path}/{name}", data)
        pairs.append((f"{tmp_path}/{name}", f"{tmp_path}/out/{name}.up"))
    pairs.insert(1, (f"{tmp_path}/absent", f"{tmp_path}/out/absent.up"))
    worker = Process(Upper())
    worker.setup()
    failures = [json.loads(line) for line in worker.process(pairs)]
    assert [f["file"].removeprefix(f"{tmp_path}/") for f in failures] == [
        "absent",
        "b",
        "c",
    ]
    assert failures[1]["error"] == "this is bad"
    assert failures[2]["error"].startswith("AttributeError: ")
    written = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert written == {"a.up": b"X", "d.up": b"Y"}


def test_means_leave_out_what_has_no_value():
    combine = Mean(["bpp", "lpips"])
    rows = [
        {"bpp": 1.0, "lpips": None},
        {"bpp": 2.0, "lpips": 0.5},
        {"bpp": 6.0, "lpips": None},
    ]
    parts = []
    for part in (rows[:1], rows[1:]):
        accumulator = combine.create_accumulator()
        for row in part:
            accumulator = combine.add_input(accumulator, row)
        parts.append(accumulator)
    total = combine.merge_accumulators(parts)
    assert combine.extract_output(total) == {"images": 3, "bpp": 3.0, "lpips": 0.5}
    nothing = combine.extract_output(parts[0])
    assert nothing == {"images": 1, "bpp": 1.0, "lpips": None}
