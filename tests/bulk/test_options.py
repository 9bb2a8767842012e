"""Runners by name, and options that are theirs, misspelt or missing."""

import pytest

pytest.importorskip("apache_beam")

from apache_beam.options.pipeline_options import DirectOptions

from dlf_jax.bulk.options import pipeline
from dlf_jax.errors import UserError


@pytest.mark.parametrize("runner", ["DirectRunner", "direct", "directrunner"])
def test_direct_runner_has_the_workers_that_are_asked_for(runner):
    made = pipeline(runner, ["--direct_num_workers=3"])
    assert type(made.runner).__name__ == "FnApiRunner"  # not Prism
    assert made.options.view_as(DirectOptions).direct_num_workers == 3


@pytest.mark.parametrize(
    ("runner", "options", "message"),
    [
        ("DirectRunner", ["--no=1"], "there is no --no$"),
        ("DirectRunner", ["--no", "1"], "there is no --no$"),
        ("DirectRunner", ["-n"], "there is no -n$"),
        ("DirectRunner", ["word"], "there is no word$"),
        ("DirectRunner", ["--direct_num_worker=2"], "no --direct_num_worker$"),
        ("DirectRunner", ["--direct_num_workers=x"], "invalid int value: 'x'$"),
        ("DirectRunner", ["--direct_num_workers"], "expected one argument$"),
        ("PrismRunner", ["--prism_lokation=x"], "there is no --prism_lokation$"),
        ("FlinkRunner", ["word"], "there is no word$"),
        ("FlinkRunner", ["--flink_version=0"], "invalid choice: '0'"),
        ("No", [], "Unexpected pipeline runner: No"),
        ("", [], "Unexpected pipeline runner"),
        ("no_module.Runner", [], "not available .*'no_module'"),
        ("apache_beam.runners.No", [], "no attribute 'No'"),
    ],
)
def test_bad_options_are_one_error(runner, options, message):
    with pytest.raises(UserError, match=message) as raised:
        pipeline(runner, options)
    assert "usage:" not in str(raised.value)


@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("PrismRunner", ["--prism_log_level=warn"]),
        ("FlinkRunner", ["--flink_master=host:8081", "--parallelism=4"]),
        ("SparkRunner", ["--spark_master_url=spark://host:7077"]),
        ("FlinkRunner", ["--checkpointing_interval=9"]),  # for its job server to judge
    ],
)
def test_options_of_other_runners_are_known(runner, options):
    assert type(pipeline(runner, options).runner).__name__ == runner


def test_a_job_server_judges_what_beam_does_not_know():
    made = pipeline("PortableRunner", ["--job_endpoint=embed", "--no=1"])
    with pytest.raises(UserError, match="the job server has no option --no"):
        made.runner.create_job_service(made.options)


def test_options_of_dask_are_known():
    pytest.importorskip("distributed")
    from apache_beam.runners.dask.dask_runner import DaskOptions

    def dask(*options):
        made = pipeline("DaskRunner", ["--dask_client_address=tcp://host:1", *options])
        return made.options.view_as(DaskOptions)

    assert dask().address == "tcp://host:1"
    # Elements are spread one by one, unless a user says otherwise.
    assert (dask().partition_size, dask().npartitions) == (1, None)
    ours = dask("--dask_npartitions=8")
    assert (ours.partition_size, ours.npartitions) == (None, 8)
    with pytest.raises(UserError, match="there is no --dask_client_adress$"):
        pipeline("DaskRunner", ["--dask_client_adress=tcp://host:1"])
    with pytest.raises(UserError, match="there is no --address$"):
        pipeline("DaskRunner", ["--address=tcp://host:1"])
