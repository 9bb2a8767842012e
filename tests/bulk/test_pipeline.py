"""One bad file does no harm, and counts are those of files, whatever a runner says."""

import json
import pickle

import pytest

pytest.importorskip("apache_beam")

from apache_beam.runners import PipelineRunner, PipelineState
from apache_beam.runners.runner import PipelineResult

from dlf_jax.bulk import files, pipeline
from dlf_jax.bulk.pipeline import Process, run, spans
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

    def __repr__(self):
        return "Upper()"


class Careless(PipelineRunner):
    """Says that all is done, and has done nothing."""

    def run_portable_pipeline(self, pipeline, options):
        size = len(pipeline.SerializeToString())
        assert size < 2**18, f"a service would refuse a pipeline of {size} bytes"
        return PipelineResult(PipelineState.DONE)


def _photos(folder, contents):
    for name, data in contents.items():
        files.write(f"{folder}/{name}", data)


def test_failures_are_lines_and_the_rest_is_done(tmp_path):
    contents = {"a": b"x!", "b": b"bad", "c": b"worse", "d": b"y"}
    _photos(tmp_path, contents)
    lines = [
        json.dumps([f"{tmp_path}/{name}", f"{tmp_path}/out/{name}.up"]) + "\n"
        for name in ("skipped", "a", "absent", "b", "c", "d")
    ]
    (tmp_path / "run.todo").write_text("".join(lines))
    worker = pickle.loads(pickle.dumps(Process(Upper(), f"{tmp_path}/run")))
    worker.setup()
    start = len(lines[0])
    worker.process((start, sum(map(len, lines[1:]))))
    (part,) = tmp_path.glob("*.errors")
    assert part.name == f"run-{start}.errors"
    failures = [json.loads(line) for line in part.read_text().splitlines()]
    assert [f["file"].removeprefix(f"{tmp_path}/") for f in failures] == [
        "absent",
        "b",
        "c",
    ]
    assert failures[1]["error"] == "this is bad"
    assert failures[2]["error"].startswith("AttributeError: ")
    written = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert written == {"a.up": b"X", "d.up": b"Y"}


def test_a_run_counts_outputs_and_errors_and_cleans_up(tmp_path, monkeypatch):
    _photos(tmp_path / "in", {"a": b"x", "b": b"bad", "été": b"y", "\n d": b"z"})
    _photos(tmp_path / "out", {"a.up": b"X", "run-1.todo": b"", "run-1-0.errors": b"{"})
    monkeypatch.chdir(tmp_path)  # workers may be elsewhere
    counts = run(Upper(), "in/*", "out", "DirectRunner", [])
    assert counts == (2, 1, 1)
    found = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert json.loads(found.pop("errors.jsonl")) == {
        "file": f"{tmp_path}/in/b",
        "error": "this is bad",
    }
    assert found == {
        "a.up": b"X",
        "été.up": b"Y",
        "\n d.up": b"Z",
        "job.txt": b"Upper()\n",
    }


def test_nothing_to_do_needs_no_runner(tmp_path):
    _photos(tmp_path / "in", {"a": b"x"})
    _photos(tmp_path / "out", {"a.up": b"X"})
    runner = "apache_beam.runners.PipelineRunner"  # which runs nothing
    assert run(Upper(), f"{tmp_path}/in/*", f"{tmp_path}/out", runner, []) == (0, 1, 0)
    assert (tmp_path / "out" / "errors.jsonl").read_bytes() == b""


def test_a_runner_that_loses_files_is_found_out(tmp_path):
    _photos(tmp_path / "in", {"a": b"x", "b": b"y", "c": b"z"})
    _photos(tmp_path / "out", {"a.up": b"X"})
    runner = f"{__name__}.Careless"
    with pytest.raises(UserError, match="left 2 of 2 files with neither an output nor"):
        run(Upper(), f"{tmp_path}/in/*", f"{tmp_path}/out", runner, [])
    left = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert left == ["a.up", "errors.jsonl", "job.txt"]


def test_many_names_make_a_small_pipeline(tmp_path, monkeypatch):
    names = [f"{tmp_path}/in/{'long' * 20}/{i:06}.png" for i in range(20_000)]
    monkeypatch.setattr(pipeline.files, "matches", lambda *_: names)
    runner = f"{__name__}.Careless"
    with pytest.raises(UserError, match="left 20000 of 20000 files"):
        run(Upper(), f"{tmp_path}/in/**", f"{tmp_path}/out", runner, [])


def test_a_runner_that_fails_is_one_error_and_leaves_no_lists(tmp_path):
    _photos(tmp_path / "in", {"a": b"x"})
    runner = "apache_beam.runners.PipelineRunner"
    with pytest.raises(UserError, match="PipelineRunner failed: NotImplementedError"):
        run(Upper(), f"{tmp_path}/in/*", f"{tmp_path}/out", runner, [])
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["job.txt"]


@pytest.mark.parametrize(
    ("lengths", "most", "wanted"),
    [
        ([5], 3, [(0, 5)]),
        ([5, 1, 2], 3, [(0, 5), (5, 1), (6, 2)]),
        ([5, 1, 2, 4], 3, [(0, 6), (6, 6)]),
        ([1] * 7, 3, [(0, 3), (3, 3), (6, 1)]),
    ],
)
def test_spans_are_all_lines_in_few_parts(lengths, most, wanted):
    assert spans(lengths, most) == wanted
