"""Trains one stage.

  dlf train --config=configs/dlf.py:stage=vqgan --workdir=RUN --config.data=PHOTOS

Run again, the same command resumes; --workdir alone does, with the settings that the
run was started with.

SIGTERM saves and ends with status 0; with several processes, all of them end with 75,
so that a cluster starts them again.
"""

import re
import sys
from typing import NoReturn

import jax
import platformdirs
from absl import app, flags, logging
from ml_collections import config_flags

from dlf_jax.errors import UserError
from dlf_jax.training.checkpointing import absolute, read_config
from dlf_jax.training.distributed import exit_status, join_job
from dlf_jax.training.loop import train
from dlf_jax.training.settings import restored

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


def parse(argv: list[str]) -> None:
    """Reads the arguments; whatever is wrong with them is one line on stderr."""
    if {"-h", "--help"} & set(argv):
        _, *options = flags.FLAGS.main_module_help().strip().splitlines()
        print(__doc__, *options, sep="\n")
        sys.exit()
    try:
        extra = flags.FLAGS(argv)[1:]
        if _CONFIG.value is not None:
            _CONFIG.value.lock()  # raises what was wrong with the file
    except (AttributeError, KeyError) as error:
        _fail(f"there is no setting {re.search('[a-z_0-9]+', str(error))[0]}")
    except (flags.Error, OSError, TypeError, ValueError) as error:
        # ml_collections puts a traceback into the message; its last line says it all.
        *_, last = str(error).strip().splitlines()
        _fail(f"{last.strip().removeprefix('ValueError: ')}; see dlf train --help")
    if extra:
        _fail(f"unexpected argument {extra[0]}; see dlf train --help")
    if _WORKDIR.value is None:
        _fail("name the folder of the run with --workdir")


def main(_: list[str]) -> None:
    """Finds the other processes, announces the devices, trains."""
    logging.set_verbosity(logging.WARNING)
    if jax.config.jax_compilation_cache_dir is None:
        cache = platformdirs.user_cache_dir("dlf_jax")
        jax.config.update("jax_compilation_cache_dir", f"{cache}/compiled")
    try:
        join_job(cluster=_CLUSTER.value)
        print(f"devices: {jax.devices()}", flush=True)
        workdir = absolute(_WORKDIR.value)
        config = _CONFIG.value or restored(read_config(workdir))
        state = train(config, workdir)
    except UserError as error:
        _fail(str(error))
    except FloatingPointError as error:
        print(f"dlf: {error}; the last checkpoint is from before", file=sys.stderr)
        sys.exit(1)
    sys.exit(exit_status(int(state.step), config.steps))


def _fail(message: str) -> NoReturn:
    print(f"dlf: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    app.run(main, flags_parser=parse)
