"""A photo, a model and compressed files for the commands to work on."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dlf_jax.cli import main
from tests.codec.tiny import random_image


@pytest.fixture
def photo(tmp_path) -> Path:
    """A PNG in a folder of its own."""
    path = tmp_path / "work" / "photo.png"
    path.parent.mkdir()
    Image.fromarray(random_image(10, 15)).save(path)
    return path


@pytest.fixture
def dlf_process(repository):
    """Runs a command in a process of its own, in a folder."""

    def run(*arguments, cwd, text=True) -> subprocess.CompletedProcess:
        path = os.pathsep.join([str(repository), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-m", "dlf_jax", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=text,
        )

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
