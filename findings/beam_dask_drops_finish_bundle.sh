#!/usr/bin/env bash
# Beam's DaskRunner drops what `finish_bundle` yields, and runs one branch of a pipeline only
# (apache-beam 2.77.0, dask and distributed 2026.8.0, Python 3.11).
#
# Guess: a pipeline of batch transforms that runs on the DirectRunner writes the same on the
# DaskRunner, or is rejected.
#
# Seen: the job ends in the state DONE, without a warning, and
#   - elements that a DoFn yields in `finish_bundle` are gone, and with them the last batch of
#     `beam.BatchElements`: 48 of 50 elements in batches of 16 come out;
#   - of two branches behind one PCollection, only the one that was applied last runs.
# Two more faults are loud: `metrics()` raises NotImplementedError, and the short name
# "DaskRunner" is unknown, so that the path of the class must be given.
#
#                                DirectRunner          DaskRunner
#   finish_bundle                0 1 2 3 4 last        0 1 2 3 4
#   BatchElements, 50 elements   50                    48
#   two branches                 a0 a1 b0 b1           b0 b1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet apache-beam==2.77.0 dask==2026.8.0 distributed==2026.8.0
cat > try.py <<'PYTHON'
import functools
import os
import tempfile

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.dask.dask_runner import DaskRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue
from dask.distributed import LocalCluster


class AndOneMore(beam.DoFn):
    def process(self, element):
        yield element

    def finish_bundle(self):
        yield WindowedValue("last", 0, [GlobalWindow()])


def touch(folder, name):
    open(os.path.join(folder, str(name)), "w").close()


def finish_bundle(start, write):
    start | beam.Create("0 1 2 3 4".split()) | beam.ParDo(AndOneMore()) | beam.Map(write)


def batches(start, write):
    batched = start | beam.Create(range(50)) | beam.BatchElements(16, 16)
    batched | beam.FlatMap(lambda batch: batch) | beam.Map(write)


def branches(start, write):
    both = start | beam.Create([0, 1])
    both | "a" >> beam.Map(lambda i: write(f"a{i}"))
    both | "b" >> beam.Map(lambda i: write(f"b{i}"))


def outcome(build, runner, options):
    """Names of the files that the pipeline wrote, and its state."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
        build(pipeline, functools.partial(touch, folder))
        result = pipeline.run()
        return sorted(os.listdir(folder)) if result.wait_until_finish() == "DONE" else []


if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = [f"--dask_client_address={cluster.scheduler_address}"]
        for build in (finish_bundle, batches, branches):
            direct = outcome(build, FnApiRunner(), [])
            dask = outcome(build, DaskRunner(), address)
            print(build.__name__, len(direct), len(dask), direct[-3:], dask[-3:])
            if build is finish_bundle:
                assert set(direct) - set(dask) == {"last"}, "finish_bundle"
            elif build is batches:
                assert (len(direct), len(dask)) == (50, 48), "BatchElements"
            else:
                assert (direct, dask) == (["a0", "a1", "b0", "b1"], ["b0", "b1"]), "branches"
    print("as described")
PYTHON
venv/bin/python try.py 2>log || { tail -n 20 log >&2; exit 1; }
