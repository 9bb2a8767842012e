"""Trains one stage: ``python -m dlf_jax.training.main --config ... --workdir ...``."""

import sys
from pathlib import Path

import jax
import platformdirs
from absl import app, flags, logging
from ml_collections import config_flags

from dlf_jax.errors import UserError
from dlf_jax.training.loop import train

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Settings, such as configs/dlf.py:preset=nano,stage=vqgan."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of logs and checkpoints.")


def main(argv: list[str]) -> None:
    """Parses, announces the devices, trains."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]}")
    logging.set_verbosity(logging.WARNING)
    if jax.config.jax_compilation_cache_dir is None:
        cache = platformdirs.user_cache_dir("dlf_jax")
        jax.config.update("jax_compilation_cache_dir", f"{cache}/compiled")
    print(f"devices: {jax.devices()}", flush=True)
    try:
        train(_CONFIG.value, Path(_WORKDIR.value))
    except UserError as error:
        print(f"dlf: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir"])
    app.run(main)
