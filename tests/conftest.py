"""Shared fixtures: the platform, the compilation cache and the golden data."""

import importlib.metadata
import os
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.version import Version

REPOSITORY = Path(__file__).resolve().parent.parent

# Before anything imports jax: tests mean the same on every machine, and programs that
# one run compiled serve the next one (and the processes that tests start).
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# With a folder for each Python, see dlf_jax/compile_cache.py.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR",
    str(REPOSITORY / ".pytest_cache" / f"jax-{sys.implementation.cache_tag}"),
)
# Most programs run once or twice: optimising them takes longer.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# So does the newer emitter of fused loops. XLA ends every process whose XLA_FLAGS hold
# an unknown flag; jaxlib 0.11.0 was the last to know this one.
if Version(importlib.metadata.version("jaxlib")) <= Version("0.11.0"):
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test that asks for the golden data; files with slow tests go first.

    Short files are what processes end with, so that none waits for another for long.
    """
    for item in items:
        if "parity" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.parity)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout that holds these tests."""
    return REPOSITORY


@pytest.fixture(scope="session")
def get_config() -> Callable:
    """Shipped settings from an argument such as "preset=nano,stage=vqgan"."""
    return runpy.run_path(str(REPOSITORY / "configs" / "dlf.py"))["get_config"]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory of `tests.codec.tiny`."""
    from tests.codec.tiny import make_model  # imports jax

    directory = tmp_path_factory.mktemp("models") / "tiny"
    make_model(directory)
    return directory


@pytest.fixture(scope="session")
def source_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a clone has that the package is installed and run from."""
    copy = tmp_path_factory.mktemp("clone")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy)
    for name in ("dlf_jax", "launch"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, copy / name, ignore=ignored)
    return copy


@pytest.fixture(scope="session")
def parity() -> Path:
    """The folder of golden data: $DLF_PARITY, or shared/parity beside the checkout."""
    folder = Path(
        os.environ.get("DLF_PARITY") or REPOSITORY.parent / "shared" / "parity"
    )
    if not folder.is_dir():
        pytest.skip(f"no golden data in {folder}; set DLF_PARITY")
    return folder


@pytest.fixture
def highest_precision() -> Iterator[None]:
    """Matrix products in full float32 on any device."""
    import jax  # not before a test needs it

    with jax.default_matmul_precision("highest"):
        yield
