"""The compilation cache goes where it should, and only when asked."""

import os
import subprocess
import sys

PROGRAM = """
import jax, dlf_jax, dlf_jax.codec.codec
assert not jax.config.jax_compilation_cache_dir or {given!r}
from dlf_jax.codec.compile_cache import enable_compile_cache
enable_compile_cache()
jax.jit(lambda x: 3 * x)(1.0)
print(jax.config.jax_compilation_cache_dir)
"""


def run(tmp_path, given):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "home")}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    if given is not None:
        environment["JAX_COMPILATION_CACHE_DIR"] = given
    command = [sys.executable, "-c", PROGRAM.format(given=given)]
    done = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_default_is_the_users_cache_folder(tmp_path):
    folder = run(tmp_path, None)
    assert folder.startswith(str(tmp_path)) and "dlf_jax" in folder
    assert os.listdir(folder)


def test_environment_decides(tmp_path):
    given = str(tmp_path / "given")
    assert run(tmp_path, given) == given
    assert os.listdir(given)
    assert run(tmp_path, "") in ("", "None")
