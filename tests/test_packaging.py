"""Contents of the published archives, and the cost of importing the package."""

import configparser
import importlib.metadata
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import dlf_jax


def _build(target: str, source: Path, folder: Path) -> Path:
    """Builds an "sdist" or a "wheel" without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target]
    command += ["-d", str(folder)]
    subprocess.run(command, check=True, cwd=source, capture_output=True)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def sdist(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build("sdist", repository, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made of the sdist, as pip makes it where there is no wheel."""
    return _build("wheel", unpacked, tmp_path_factory.mktemp("wheel"))


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


def test_wheel_holds_the_package_and_nothing_else(wheel, repository):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {
        path.relative_to(repository).as_posix()
        for path in (repository / "dlf_jax").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert packed == files
    assert packed >= {
        "dlf_jax/py.typed",
        "dlf_jax/web/index.html",
        "dlf_jax/weights/dlf-nano/model.safetensors",
    }


def test_sdist_holds_what_the_first_two_commands_need(unpacked):
    for name in (
        "PKG-INFO",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "configs/dlf.py",
        "launch/quickstart.sh",
        "launch/test.sh",
        "pyproject.toml",
        "tests/conftest.py",
    ):
        assert (unpacked / name).is_file(), name


def test_the_index_would_take_them(sdist, wheel):
    pytest.importorskip("twine")
    command = [sys.executable, "-m", "twine", "check", "--strict"]
    command += [str(sdist), str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2


def test_wheel_installs_and_runs(wheel, tmp_path):
    target = tmp_path / "site-packages"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index"]
    command += ["--no-deps", "--no-compile", "--target", str(target), str(wheel)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    done = subprocess.run(
        [target / "bin" / "dlf", "models"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "dlf-nano" in done.stdout


def test_wheel_states_version_and_licence(wheel):
    metadata = _read(wheel, ".dist-info/METADATA").splitlines()
    assert f"Version: {dlf_jax.__version__}" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    minors = (11, 12, 13, 14)
    assert [line for line in metadata if ":: Python :: 3." in line] == [
        f"Classifier: Programming Language :: Python :: 3.{minor}" for minor in minors
    ]
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
    assert "jax" not in _loaded_by("import dlf_jax.entropy_coding.range_coder")
