"""Python programs that see this checkout, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def start_python(
    *arguments, python: str = sys.executable, env=None, **options
) -> subprocess.Popen:
    """Starts Python with pipes for text; options are those of `subprocess.Popen`.

    Args:
      arguments: of Python.
      python: the interpreter.
      env: variables that differ from those of this process.
    """
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        **options,
        "env": os.environ | {"PYTHONPATH": paths} | (env or {}),
    }
    return subprocess.Popen([python, *map(str, arguments)], **options)


def run_python(*arguments, **options) -> subprocess.CompletedProcess:
    """Runs Python to its end; options are those of `start_python`."""
    process = start_python(*arguments, **options)
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run_script(*arguments, **options) -> subprocess.CompletedProcess:
    """Runs a script with bash; options are those of `subprocess.run`."""
    command = ["bash", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)
