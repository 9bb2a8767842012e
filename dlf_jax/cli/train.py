"""``dlf train``."""

import contextlib
import faulthandler
import sys

import click

from dlf_jax.cli.paths import TEXT
from dlf_jax.cli.session import only_errors_of_libraries
from dlf_jax.cli.settings import SettingsCommand, settings_options
from dlf_jax.errors import UserError
from dlf_jax.extras import needs

_NOT_FINITE = 1


@click.command(cls=SettingsCommand)
@click.option(
    "--workdir",
    metavar="RUN",
    type=TEXT,
    help="Folder of logs and checkpoints, or a URL such as gs://BUCKET/RUN.",
)
@click.option(
    "--cluster/--nocluster",
    help="This is one of several processes that jax finds by itself, as on the hosts "
    "of a Cloud TPU slice. SLURM, GKE and JAX_COORDINATOR_ADDRESS need no flag.",
)
@settings_options
def train(
    config: "ml_collections.ConfigDict | None", workdir: str | None, cluster: bool
) -> None:
    """Trains one stage.

    \b
    dlf train --config=configs/dlf.py:stage=vqgan --workdir=RUN --config.data=PHOTOS

    To resume an interrupted run, repeat the command; --workdir alone keeps the settings
    with which the run was started.

    After the first step, SIGTERM saves a checkpoint and ends with status 0.  With
    several processes, all of them end with status 75, so that a cluster starts them
    again.  Ctrl-C saves a checkpoint, too, and ends with status 130; a second Ctrl-C
    ends the run at once.
    """
    only_errors_of_libraries()
    for library in ("grain", "tensorboardX"):
        needs(library, "train")
    if not workdir:
        raise UserError("name the folder of the run with --workdir")

    import jax

    from dlf_jax.compile_cache import enable_compile_cache
    from dlf_jax.training.run import loop
    from dlf_jax.training.run.checkpointing import absolute, read_config
    from dlf_jax.training.run.distributed import exit_status, join_job
    from dlf_jax.training.settings.checks import check_settings
    from dlf_jax.training.settings.resuming import restored

    with contextlib.suppress(Exception):  # stderr may be no file
        faulthandler.enable()  # a run of days that crashes below Python says where
    enable_compile_cache()
    folder = absolute(workdir)
    config = config or restored(read_config(folder))
    check_settings(config)
    join_job(cluster=cluster)
    click.echo(f"devices: {jax.devices()}")
    try:
        state = loop.train(config, folder)
    except FloatingPointError as error:
        click.echo(f"dlf: {error}; the last checkpoint is from before", err=True)
        sys.exit(_NOT_FINITE)
    sys.exit(exit_status(int(state.step), config.steps))
