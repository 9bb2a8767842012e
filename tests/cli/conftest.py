"""A photo, a model and compressed files for the commands to work on."""

import gc
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from dlf_jax.cli import main
from tests.codec.tiny import random_image
from tests.processes import run_python


@pytest.fixture
def photo(tmp_path) -> Path:
    """A PNG in a folder of its own."""
    path = tmp_path / "work" / "photo.png"
    path.parent.mkdir()
    Image.fromarray(random_image(10, 15)).save(path)
    return path


@pytest.fixture
def dlf_process():
    """Runs a command in a process of its own, in a folder."""

    def run(*arguments, cwd, **options) -> subprocess.CompletedProcess:
        return run_python("-m", "dlf_jax", *arguments, cwd=cwd, **options)

    return run


@pytest.fixture
def dlf(capsys):
    """Runs a command in this process: arguments to (exit status, stdout, stderr)."""

    def run(*arguments) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    yield run
    gc.unfreeze()  # what commands that end soon left alone
