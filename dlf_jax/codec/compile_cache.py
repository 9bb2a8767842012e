"""Compiled programs stay in the user's cache folder: later runs start fast."""

import os
from pathlib import Path

import jax
import platformdirs

_VARIABLE = "JAX_COMPILATION_CACHE_DIR"


def enable_compile_cache() -> None:
    """Turns on jax's persistent compilation cache, for programs of any size.

    It is meant for command-line programs; a library leaves the choice to its user.  A
    folder named by the environment variable JAX_COMPILATION_CACHE_DIR is respected, and
    an empty value keeps the cache off, as does a folder that cannot be made.
    """
    default = Path(platformdirs.user_cache_dir("dlf_jax")) / "compiled"
    folder = os.environ.get(_VARIABLE, str(default))
    if not folder:
        return
    try:
        if "://" not in folder:
            os.makedirs(folder, exist_ok=True)
    except OSError:
        return
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
