"""The notebooks are stored without outputs, find the package, and run to their end."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image
from safetensors import safe_open

from dlf_jax.checkpoints.name_map import name_map
from dlf_jax.data.image_io import read_image
from dlf_jax.models.variants import VARIANTS

# Notebook -> values of its forms with which it takes a minute or two.
_FORMS: dict[str, dict[str, Any]] = {
    "01_compress": {"LONGEST_SIDE": 256, "RATE": 3},
    "02_train": {"SIZE": "toy", "STEPS": 4, "BATCH": 2, "HELD_OUT": 0}
    | {"PHOTOS": "photos.zip", "TOKEN_CROPS": 16},
    "03_compare": {"CROP": 192, "CODECS": "dlf:dlf-nano@0,avif,jpeg,vvc@51,vvc@57"}
    | {"METRICS": "psnr,ms_ssim", "INSTALL_TFC": False},
    "04_convert_official": {"LAYERS": 5, "LONGEST_SIDE": 256},
}
_SENTENCE = (
    "dlf_jax was not found: fill in REPOSITORY above, or upload a wheel, "
    "dlf_jax-*.whl, beside this notebook, and run this cell again."
)


def _read(name: str) -> nbformat.NotebookNode:
    colab = Path(__file__).resolve().parent.parent / "colab"
    return nbformat.read(colab / f"{name}.ipynb", as_version=4)


def _code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _setup(name: str = "01_compress") -> str:
    """The first cell with code."""
    first = _code(_read(name))[0]
    assert first.id == "setup"
    return first.source


def _fill_in(notebook: nbformat.NotebookNode, name: str, value: Any) -> None:
    """Sets a field of a form."""
    pattern, count = re.compile(rf"^{name} = .*?(?=  # @param)", re.MULTILINE), 0
    for cell in _code(notebook):
        cell.source, n = pattern.subn(f"{name} = {value!r}", cell.source)
        count += n
    assert count == 1, name


def test_every_notebook_is_tested(repository):
    assert {path.stem for path in (repository / "colab").iterdir()} == set(_FORMS)


@pytest.mark.parametrize("name", _FORMS)
def test_outputs_are_stripped(name):
    for cell in _code(_read(name)):
        assert cell.outputs == [] and cell.execution_count is None


def test_first_cells_are_equal():
    assert len({_setup(name) for name in _FORMS}) == 1


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """Runs the first cell where nothing is installed yet.

    Returns the commands that it runs, and its variables.  Commands that contain a word
    of `failing` fail; the others succeed, and pip then knows dlf_jax.
    """
    monkeypatch.chdir(tmp_path)

    def execute(failing=(), repository=""):
        commands, found = [], []
        distributions = importlib.metadata.distributions

        def fake_run(command, **options):
            failed = any(word in " ".join(command) for word in failing)
            pins = [
                Path(after)
                for word, after in zip(command, command[1:], strict=False)
                if word == "-c"
            ]
            texts = [path.read_text() for path in pins]
            commands.append((command, *texts))
            if command[:2] == ["git", "clone"] and not failed:
                (tmp_path / command[-1] / "dlf_jax").mkdir(parents=True)
                (tmp_path / command[-1] / "dlf_jax" / "__init__.py").touch()
            if "install" in command and not failed:
                found.append("dlf_jax")
            error = "first line\nlast line" if failed else ""
            return subprocess.CompletedProcess(command, int(failed), "", error)

        def fake_distributions(**query):
            return found if query else distributions()

        with monkeypatch.context() as patched:
            patched.setattr(subprocess, "run", fake_run)
            patched.setattr(importlib.metadata, "distributions", fake_distributions)
            source = _setup().replace('REPOSITORY = ""', f"REPOSITORY = {repository!r}")
            variables: dict[str, Any] = {}
            try:
                exec(compile(source, "setup", "exec"), variables)
            except Exception as error:
                variables["error"] = error
            return commands, variables

    return execute


def _installed(commands: list) -> list[str]:
    """Operands of pip."""
    return [command[-1] for command, *_ in commands if "install" in command]


def test_a_clone_is_installed_first(setup, tmp_path):
    (tmp_path / "dlf_jax").mkdir()
    (tmp_path / "dlf_jax" / "__init__.py").touch()
    commands, variables = setup(repository="https://example.org/dlf_jax")
    assert _installed(commands) == [f"{tmp_path}[train,evaluate]"]
    assert variables["sources"] == tmp_path
    assert not any("git" in command for command, *_ in commands)


def test_then_the_repository_is_cloned(setup, tmp_path):
    commands, variables = setup(repository="https://example.org/dlf_jax")
    assert commands[0][0][:2] == ["git", "clone"]
    assert "https://example.org/dlf_jax" in commands[0][0]
    assert variables["sources"] == tmp_path / "dlf_jax_sources"
    assert _installed(commands) == [f"{tmp_path}/dlf_jax_sources[train,evaluate]"]


def test_then_the_index_is_asked(setup, tmp_path):
    (tmp_path / "dlf_jax-0.1.0-py3-none-any.whl").touch()
    commands, _ = setup()
    assert _installed(commands) == ["dlf-jax[train,evaluate]"]


def test_then_an_uploaded_wheel_is_installed(setup, tmp_path):
    (tmp_path / "dlf_jax-0.1.0-py3-none-any.whl").touch()
    commands, variables = setup(failing=["dlf-jax["])
    wheel = f"{tmp_path}/dlf_jax-0.1.0-py3-none-any.whl[train,evaluate]"
    assert _installed(commands) == ["dlf-jax[train,evaluate]", wheel]
    assert "error" not in variables


def test_without_any_of_them_there_is_one_sentence(setup):
    _, variables = setup(failing=["install"])
    assert variables["error"]._render_traceback_() == [_SENTENCE]


def test_what_fails_is_one_line(setup):
    _, variables = setup(failing=["clone"], repository="https://example.org/dlf_jax")
    assert variables["error"]._render_traceback_() == ["last line"]


def test_pip_keeps_jax_and_numpy(setup):
    commands, _ = setup()
    (pins,) = [pins for command, *pins in commands if "install" in command]
    kept = dict(line.split("==") for line in pins[0].splitlines())
    assert {"jax", "jaxlib", "numpy"} <= kept.keys()
    assert kept["jax"] == importlib.metadata.version("jax")
    assert "jaxtyping" not in kept


def test_alone_in_an_empty_folder(tmp_path):
    """In an interpreter without packages, where pip has no index."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", _setup()],
        cwd=tmp_path,
        env=os.environ | {"PIP_NO_INDEX": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.splitlines()[-1] == f"Stop: {_SENTENCE}"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def clone(source_copy, repository, tmp_path, monkeypatch) -> Path:
    """The folder of the notebooks in a clone with a zip file of photos."""
    folder = tmp_path / "clone"
    shutil.copytree(source_copy, folder)
    shutil.copytree(repository / "configs", folder / "configs")
    photos = tmp_path / "photos"
    photos.mkdir()
    with Image.open(repository / "launch" / "assets" / "coffee.png") as photo:
        for i in range(24):
            left, top = 100 * (i % 6), 100 * (i // 6)
            photo.crop((left, top, left + 100, top + 100)).save(photos / f"{i}.png")
    (folder / "colab").mkdir()
    shutil.make_archive(str(folder / "colab" / "photos"), "zip", photos)
    # The package that is tested is the one the kernel finds; it installs nothing.
    monkeypatch.setenv("PYTHONPATH", str(repository), prepend=os.pathsep)
    return folder / "colab"


@pytest.fixture
def execute(clone):
    """Runs a notebook in `clone`; returns its printed text and pictures by cell."""

    def execute(name: str) -> tuple[dict[str, str], dict[str, int]]:
        notebook = _read(name)
        for field, value in _FORMS[name].items():
            _fill_in(notebook, field, value)
        resources = {"metadata": {"path": str(clone)}}
        client = NotebookClient(notebook, timeout=600, resources=resources)
        # nbclient's stand-in for the widget that shows a picture talks to the kernel
        # while it waits for it, and may then miss the answer until the timeout.
        client.widget_registry = {}
        client.execute()
        texts, pictures = {}, {}
        for cell in _code(notebook):
            outputs = cell.outputs
            texts[cell.id] = "".join(out.get("text", "") for out in outputs)
            shown = [str(out.data) for out in outputs if "data" in out]
            pictures[cell.id] = sum(s.count("image/png") for s in shown)
            errors = [out.text for out in outputs if out.get("name") == "stderr"]
            assert errors == [], cell.id
        assert "jax" in texts["setup"] and "device     cpu" in texts["setup"]
        return texts, pictures

    return execute


@pytest.mark.slow
@pytest.mark.notebook
def test_compress_notebook_runs(execute, clone):
    texts, pictures = execute("01_compress")
    rates = texts["compress"].splitlines()
    sizes = [int(line.split()[2].replace(",", "")) for line in rates]
    assert len(sizes) >= 4 and sizes == sorted(sizes)
    assert pictures["slide"] == 2  # by the slider at its last position
    assert pictures["bits"] == 1
    assert pictures["branches"] == pictures["same-size"] == 3
    kept = clone / "runs" / "notebook"
    assert (kept / "photo.dlf").stat().st_size == sizes[3]
    assert max(read_image(kept / "photo.png").shape) == 256


@pytest.mark.slow
@pytest.mark.notebook
def test_train_notebook_runs(execute, clone):
    texts, pictures = execute("02_train")
    assert texts["photos"] == "24 photos in photos\n"
    for stage in ("vqgan", "align", "pixel", "curves"):
        assert pictures[stage] == 1
    assert texts["export"] == "runs/model: step 4\n"
    sizes = re.findall(r"rate \d: [\d,]+ bytes = \d\.\d{4} bpp\n", texts["compress"])
    assert len(sizes) == pictures["compress"] == 4


@pytest.mark.slow
@pytest.mark.notebook
def test_compare_notebook_runs(execute, clone):
    texts, pictures = execute("03_compare")
    assert texts["tfc"] == "TensorFlow Compression is not available, and left out.\n"
    assert texts["photos"] == "runs/compare/coffee.png\n"
    assert pictures["curves"] == 2
    report = (clone / "runs" / "compare" / "report.html").read_text()
    assert "BD-rate against vvc" in report


@pytest.mark.slow
def test_the_stand_in_has_all_official_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (cell,) = [c for c in _code(_read("04_convert_official")) if c.id == "checkpoint"]
    exec(compile(cell.source, cell.id, "exec"), {"Path": Path})
    with safe_open("stand_in.safetensors", "numpy") as file:
        assert set(file.keys()) == name_map(VARIANTS["dlf-l"]).keys()


@pytest.mark.slow
@pytest.mark.notebook
def test_convert_notebook_runs(execute, clone):
    texts, pictures = execute("04_convert_official")
    assert "official: DLF" in texts["convert"]
    assert re.search(r"[\d,]+ arrays are bit for bit the same", texts["check"])
    assert " bpp" in texts["compress"] and pictures["compress"] == 1
