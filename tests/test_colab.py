"""The notebooks are stored without outputs and run from top to bottom."""

import os
import shutil

import nbformat
import pytest
from nbclient import NotebookClient


def _read(path):
    return nbformat.read(path, as_version=4)


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_outputs_are_stripped(repository):
    paths = sorted((repository / "colab").glob("*.ipynb"))
    assert paths
    for path in paths:
        for cell in _code(_read(path)):
            assert cell.outputs == [] and cell.execution_count is None, path


@pytest.mark.slow
def test_compress_notebook_runs(source_copy, repository, monkeypatch):
    folder = source_copy / "colab"
    shutil.copytree(repository / "colab", folder)
    # The package that is tested is the one the kernel finds; it installs nothing.
    monkeypatch.setenv("PYTHONPATH", str(repository), prepend=os.pathsep)
    notebook = _read(folder / "01_compress.ipynb")
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=300, resources=resources)
    # nbclient's stand-in for the widget that shows a picture talks to the kernel while
    # it waits for it, and may then miss the answer until the timeout.
    client.widget_registry = {}
    client.execute()

    printed = {
        cell.id: "".join(out.get("text", "") for out in cell.outputs)
        for cell in _code(notebook)
    }
    assert "on a CPU" in printed["setup"]
    rates = printed["compress"].splitlines()
    sizes = [int(line.split()[2].replace(",", "")) for line in rates]
    assert len(sizes) >= 4 and sizes == sorted(sizes)
    kept = source_copy / "runs" / "notebook"
    assert (kept / "photo.dlf").stat().st_size == sizes[0]
    assert (kept / "photo_decoded.png").is_file()
