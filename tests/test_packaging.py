"""The wheel holds what the package needs, and importing it costs little."""

import configparser
import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import dlf_jax


@pytest.fixture(scope="module")
def wheel(source_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(source_copy)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    (path,) = folder.glob("*.whl")
    return path


def _read(wheel: Path, end: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(end)]
        return archive.read(name).decode()


def _loaded_by(statement: str) -> set[str]:
    """Names of the libraries that `statement` loads in a new interpreter."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_wheel_holds_every_file_of_the_package(wheel, source_copy):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("dlf_jax/")}
    files = {
        path.relative_to(source_copy).as_posix()
        for path in (source_copy / "dlf_jax").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert packed == files
    assert "dlf_jax/weights/dlf-nano/model.safetensors" in packed


def test_wheel_states_version_and_licence(wheel):
    metadata = _read(wheel, ".dist-info/METADATA").splitlines()
    assert f"Version: {dlf_jax.__version__}" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    assert "Apache License" in _read(wheel, "/licenses/LICENSE")


def test_changelog_knows_the_version(repository):
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{dlf_jax.__version__}]" in changelog


def test_console_script_resolves(wheel):
    scripts = configparser.ConfigParser()
    scripts.read_string(_read(wheel, ".dist-info/entry_points.txt"))
    target = scripts["console_scripts"]["dlf"]
    entry = importlib.metadata.EntryPoint("dlf", target, "console_scripts")
    assert callable(entry.load())


def test_importing_the_package_loads_no_framework():
    loaded = _loaded_by("import dlf_jax, dlf_jax.cli")
    assert "dlf_jax" in loaded
    assert not loaded & {"jax", "flax", "optax", "orbax", "grain", "tensorflow"}


def test_the_codec_loads_no_training_library():
    loaded = _loaded_by("import dlf_jax.codec.codec")
    assert "jax" in loaded
    assert not loaded & {"optax", "orbax", "grain", "tensorflow"}


def test_the_coders_load_no_framework():
    assert "jax" not in _loaded_by("import dlf_jax.coding.range_coder")
