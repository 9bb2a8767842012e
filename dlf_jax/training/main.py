"""Trains one stage.

  dlf train --config=configs/dlf.py:stage=vqgan --workdir=RUN --config.data=PHOTOS

Run again, the same command resumes; --workdir alone does, with the settings that the
run was started with.

After the first step, SIGTERM saves and ends with status 0; with several processes, all
of them end with 75, so that a cluster starts them again.  Ctrl-C saves, too, and ends
with status 130; the second one ends the run at once.
"""

import sys
from functools import partial

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from dlf_jax.compile_cache import enable_compile_cache
from dlf_jax.errors import UserError
from dlf_jax.training.arguments import fail, parse
from dlf_jax.training.run.checkpointing import absolute, read_config
from dlf_jax.training.run.distributed import exit_status, join_job
from dlf_jax.training.run.loop import train
from dlf_jax.training.settings.checks import check_settings
from dlf_jax.training.settings.resuming import restored

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Settings, such as configs/dlf.py:preset=nano,stage=vqgan."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of logs and checkpoints, or a URL such as gs://BUCKET/RUN."
)
_CLUSTER = flags.DEFINE_bool(
    "cluster",
    False,
    "This is one of several processes that jax finds by itself, as on the hosts of a "
    "Cloud TPU slice. SLURM, GKE and JAX_COORDINATOR_ADDRESS need no flag.",
)


def main(_: list[str]) -> None:
    """Finds the other processes, announces the devices, trains."""
    if not _WORKDIR.value:
        fail("name the folder of the run with --workdir")
    logging.set_verbosity(logging.ERROR)
    enable_compile_cache()
    try:
        workdir = absolute(_WORKDIR.value)
        config = _CONFIG.value or restored(read_config(workdir))
        check_settings(config)
        join_job(cluster=_CLUSTER.value)
        print(f"devices: {jax.devices()}", flush=True)
        state = train(config, workdir)
    except UserError as error:
        fail(str(error))
    except FloatingPointError as error:
        print(f"dlf: {error}; the last checkpoint is from before", file=sys.stderr)
        sys.exit(1)
    sys.exit(exit_status(int(state.step), config.steps))


if __name__ == "__main__":
    read = partial(parse, command="dlf train", config=_CONFIG, description=__doc__)
    app.run(main, flags_parser=read)
