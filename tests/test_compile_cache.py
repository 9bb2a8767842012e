"""The compilation cache goes where it should, heals, and never says a word."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

import dlf_jax
from dlf_jax import compile_cache
from dlf_jax.compile_cache import read_entry, write_entry

PYTHON = "python{}.{}".format(*sys.version_info)
PROGRAM = """
import jax, dlf_jax
before = jax.config.jax_compilation_cache_dir
jax.jit(lambda x: 2 * x)(1.0)  # settles that there is no cache
dlf_jax.enable_compile_cache()
jax.jit(lambda x: 3 * x)(1.0)
from dlf_jax.compile_cache import local_folder
print(local_folder())
"""


def run(tmp_path, given):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "home")}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    if given is not None:
        environment["JAX_COMPILATION_CACHE_DIR"] = given
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_default_is_the_users_cache_folder(tmp_path):
    folder = run(tmp_path, None)
    assert folder == str(tmp_path / "home" / "dlf_jax" / "compiled" / PYTHON)
    assert [name for name in os.listdir(folder) if name.endswith("-cache")]


@pytest.mark.slow
def test_environment_decides(tmp_path):
    given, folder = tmp_path / "given", tmp_path / "given" / "dlf_jax" / PYTHON
    assert run(tmp_path, str(given)) == str(folder)
    assert [name for name in os.listdir(folder) if name.endswith("-cache")]
    assert run(tmp_path, "") == "None"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The cache, on, in a folder of its own."""
    names = ("dir", "max_size")
    before = {n: getattr(jax.config, f"jax_compilation_cache_{n}") for n in names}
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    dlf_jax.enable_compile_cache()
    yield tmp_path / "dlf_jax" / PYTHON
    for name, value in before.items():
        jax.config.update(f"jax_compilation_cache_{name}", value)
    compilation_cache.reset_cache()


def _compile() -> None:
    """Compiles one program, unless it is in the cache, and runs it."""
    jax.clear_caches()
    tripled = jax.jit(lambda x: 3 * x + 1)(np.float32(2))
    assert float(tripled) == 7


def _entries(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*-cache")}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:1000],
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:-8] + bytes(8),
        lambda content: bytes(len(content)),
        lambda content: content[32:],  # as jax itself writes it
    ],
)
def test_a_damaged_entry_is_replaced(folder, damage):
    _compile()
    whole = _entries(folder)
    assert whole
    for name, content in whole.items():
        (folder / name).write_bytes(damage(content))
    _compile()  # a warning is an error
    healed = _entries(folder)
    assert healed.keys() == whole.keys()
    for name in healed:
        assert read_entry(folder / name) is not None
    _compile()
    assert _entries(folder) == healed
    assert not list(folder.glob("*.tmp"))


def test_a_folder_that_cannot_be_made_does_no_harm(folder):
    folder.parent.mkdir()
    folder.write_text("a file is in the way")
    _compile()
    assert folder.read_text() == "a file is in the way"


def test_a_full_disk_leaves_nothing(folder, monkeypatch):
    def fail(path, data):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    _compile()
    assert list(folder.iterdir()) == []


def test_the_size_can_be_bounded(folder):
    pytest.importorskip("filelock")
    jax.config.update("jax_compilation_cache_max_size", 10**9)
    compilation_cache.reset_cache()
    _compile()
    (first,) = _entries(folder).values()
    jax.config.update("jax_compilation_cache_max_size", len(first))
    compilation_cache.reset_cache()
    jax.jit(lambda x: 5 * x - 1)(np.float32(2))
    assert len(_entries(folder)) <= 1


def test_a_path_in_a_bucket_is_left_to_jax(folder):
    jax.config.update("jax_compilation_cache_dir", "gs://bucket/cache")
    dlf_jax.enable_compile_cache()
    assert jax.config.jax_compilation_cache_dir == "gs://bucket/cache"
    assert compile_cache.local_folder() is None


def test_entries_are_what_was_written(tmp_path):
    path = tmp_path / "new" / "entry"
    assert read_entry(path) is None
    for data in (b"", b"one", b"two"):
        write_entry(path, data)
        assert read_entry(path) == data
    path.write_bytes(path.read_bytes()[:-1])
    assert read_entry(path) is None
