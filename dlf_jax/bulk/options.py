"""Beam's runners by name, and the options of each."""

import contextlib
import io
from collections.abc import Iterator, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners import PipelineRunner, create_runner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.portability.prism_runner import PrismRunner

from dlf_jax.bulk.local import local_runner
from dlf_jax.errors import UserError

_QUIET = "--default_sdk_harness_log_level=ERROR"
_RUNNERS = {
    # Beam's table of short names lacks it.
    "dask": "apache_beam.runners.dask.dask_runner.DaskRunner",
}
_PACKAGES = {"dask": "'apache-beam[dask]'", "dataflow": "'apache-beam[gcp]'"}
_DASK_PARTITIONS = ("--dask_npartitions", "--dask_partition_size")


def pipeline(runner: str, options: Sequence[str]) -> beam.Pipeline:
    """Returns an empty pipeline for a runner.

    Args:
      runner: name or path of its class; "dask" is short for "DaskRunner".
      options: of Beam and of the runner, as on the command lines of Beam.

    Raises:
      UserError: the runner is unknown, a library of the runner is not installed, or an
        option is unknown, wrong or missing.
    """
    short = runner.lower().removesuffix("runner")
    with _one_line(runner, short):
        # Before options are read: the module of a runner defines options of its own.
        found = create_runner(_RUNNERS.get(short, runner))
        flags = [_QUIET, *options, f"--runner={runner}"]
        if short == "dask" and not any(o.startswith(_DASK_PARTITIONS) for o in options):
            flags.append("--dask_partition_size=1")  # 128 otherwise, all to one worker
        parsed = PipelineOptions(flags)
        if unknown := _unknown(parsed, flags):
            _check_later(found, unknown)
        if short == "direct":
            found = local_runner(parsed)
        return beam.Pipeline(runner=found, options=parsed)


@contextlib.contextmanager
def _one_line(runner: str, short: str) -> Iterator[None]:
    """Turns errors of Beam and argparse into UserError."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            yield
    except ImportError as error:
        package = _PACKAGES.get(short)
        hint = f": pip install {package}" if package else ""
        raise UserError(f"{runner} is not available ({error}){hint}") from error
    except SystemExit as error:  # argparse prints its usage, and the error at the end
        reason = printed.getvalue().strip().rpartition("error: ")[2]
        raise UserError(f"Beam rejects its options: {reason}") from error
    except (ValueError, AttributeError) as error:  # the latter: a class not in a module
        raise UserError(f"Beam rejects its options: {error}") from error


def _unknown(parsed: PipelineOptions, flags: Sequence[str]) -> list[str]:
    """Words of a command line that no class of options claims."""
    parsers = []
    parsed.get_all_options(add_extra_args_fn=parsers.append)
    (parser,) = parsers
    return parser.parse_known_args(flags)[1]


def _check_later(runner: PipelineRunner, unknown: Sequence[str]) -> None:
    """Rejects unknown options, or leaves it to the job server of Flink or Spark.

    Only the job server knows all options of such a runner, and Beam silently drops the
    options that the job server does not know.
    """
    word, asks = unknown[0], isinstance(runner, PortableRunner)
    if not word.startswith("--") or not asks or isinstance(runner, PrismRunner):
        raise UserError(f"Beam rejects its options: there is no {word.split('=')[0]}")
    names = [word[2:].split("=")[0] for word in unknown if word.startswith("--")]
    create = runner.create_job_service_handle

    def checked(job_service, options):
        handle = create(job_service, options)
        kept = handle.get_pipeline_options().keys()
        for name in names:
            if f"beam:option:{name}:v1" not in kept:
                raise UserError(f"the job server has no option --{name}")
        return handle

    runner.create_job_service_handle = checked
