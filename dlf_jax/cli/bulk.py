"""``dlf bulk``: compress, decompress and evaluate over many files and hosts."""

import functools
import logging
import os
import sys
from collections.abc import Callable

import click

from dlf_jax.cli.evaluate import specs_of
from dlf_jax.cli.goals import goal_options
from dlf_jax.cli.paths import TEXT
from dlf_jax.cli.session import limit_options
from dlf_jax.codec.goal import Goal
from dlf_jax.extras import needs
from dlf_jax.limits import Limits

_FAILED = 1


@click.group()
def bulk() -> None:
    """Processes large folders with Apache Beam.

    Arguments after -- are options of Beam, such as --direct_num_workers=4
    --direct_running_mode=multi_processing, or those of DataflowRunner.

    Outputs are named after their inputs, PATH.dlf for PATH, and appear whole.  To
    resume an interrupted job and to retry failed files, repeat the command.  Failures
    are listed in errors.jsonl and give exit status 1.
    """


def _job_options(command: Callable) -> Callable:
    """Adds the options of every job."""
    options = (
        click.option(
            "--input",
            "pattern",
            metavar="FOLDER_OR_PATTERN",
            type=TEXT,
            required=True,
            help="Such as photos, or 'gs://bucket/photos/**.png', quoted.",
        ),
        click.option("--output", metavar="FOLDER", type=TEXT, required=True),
        click.option("--runner", default="DirectRunner", show_default=True),
        click.argument("options", metavar="[-- OPTION...]", nargs=-1),
    )

    @functools.wraps(command)
    def checked(**kwargs):
        # Beam warns of missing packages, and of every option that it passes on. Dask
        # logs every connection, and reads the variable when it is imported.
        logging.getLogger().setLevel(logging.ERROR)
        os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")
        needs("apache_beam", "beam", "apache-beam")
        kwargs["output"] = kwargs["output"].rstrip("/")
        command(**kwargs)

    return functools.reduce(lambda f, option: option(f), options[::-1], checked)


@bulk.command()
@goal_options
@click.option(
    "--model",
    metavar="NAME_OR_DIR",
    type=TEXT,
    default="dlf-nano",
    show_default=True,
)
@limit_options
@_job_options
def compress(goal: Goal, model: str, limits: Limits, **job) -> None:
    """Compresses images to .dlf files."""
    from dlf_jax.bulk.work import Compress
    from dlf_jax.codec import catalog

    model = _everywhere(model)
    codec = catalog.load(model)
    if not goal.has_target:
        goal = Goal(codec.rate_of(goal))
    _run(Compress(model, codec.model.fingerprint.hex(), goal, limits), **job)


@bulk.command()
@click.option(
    "--model",
    metavar="NAME_OR_DIR",
    type=TEXT,
    help="Model that wrote the files; needed only for models not bundled with dlf.",
)
@limit_options
@_job_options
def decompress(model: str | None, limits: Limits, **job) -> None:
    """Decompresses .dlf files to PNG."""
    from dlf_jax.bulk.work import Decompress

    _run(Decompress(model and _everywhere(model), limits), **job)


@bulk.command()
@click.option(
    "--codecs",
    metavar="NAME,...",
    default="dlf:dlf-nano",
    show_default=True,
    help="See dlf evaluate --help.",
)
@click.option(
    "--metrics",
    metavar="NAME,...",
    default="psnr,ms_ssim,lpips_alex,dists",
    show_default=True,
)
@_job_options
def evaluate(codecs: str, metrics: str, **job) -> None:
    """Measures codecs on images; writes results.csv and means.jsonl."""
    from dlf_jax.bulk.means import summarize
    from dlf_jax.bulk.work import Evaluate
    from dlf_jax.metrics.table import parse_metrics

    work = Evaluate(tuple(specs_of(codecs)), tuple(parse_metrics(metrics)))
    failed = _count(work, **job)
    for line in summarize(job["output"]):
        click.echo(
            " ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                for key, value in line.items()
            )
        )
    if failed:
        sys.exit(_FAILED)


def _everywhere(model: str) -> str:
    """Returns the name or absolute path of a model, for workers in other folders."""
    from dlf_jax.checkpoints.directory import bundled_models, model_directory

    return model if model in bundled_models() else str(model_directory(model).resolve())


def _run(work: "dlf_jax.bulk.pipeline.Work", **job) -> None:
    if _count(work, **job):
        sys.exit(_FAILED)


def _count(
    work: "dlf_jax.bulk.pipeline.Work",
    pattern: str,
    output: str,
    runner: str,
    options: tuple[str, ...],
) -> int:
    """Runs a job, reports it, and returns the number of files that failed."""
    from dlf_jax.bulk.pipeline import run

    counts = run(work, pattern, output, runner, options)
    click.echo(
        f"{output}: {counts.done} done, {counts.before} were there, "
        f"{counts.failed} failed"
        + (f", see {output}/errors.jsonl" if counts.failed else "")
    )
    return counts.failed
