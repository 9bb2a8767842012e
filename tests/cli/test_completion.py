"""Completion of the command line, by click and in bash."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.processes import REPOSITORY, run_python


def completed(*words: str) -> list[str]:
    """Completions of the last word, each as "type,value"."""
    done = run_python(
        *("-m", "dlf_jax"),
        env={
            "_DLF_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("dlf", *words)),
            "COMP_CWORD": str(len(words)),
        },
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("comp",), ["plain,compress"]),
        (("compress", "--me"), ["plain,--metrics"]),
        (("compress", "--coder", "r"), ["plain,range"]),
        (("compress", "pho"), ["file,pho"]),
        (("decompress", "a.dlf", "-o", "out"), ["file,out"]),
        (("bulk", "ev"), ["plain,evaluate"]),
    ],
)
def test_commands_options_and_files(words, found):
    assert completed(*words) == found


def _bash_knows_nosort() -> bool:
    if not shutil.which("bash"):
        return False
    command = ["bash", "-c", "echo ${BASH_VERSINFO[0]} ${BASH_VERSINFO[1]}"]
    out = subprocess.run(command, capture_output=True, text=True).stdout
    return tuple(map(int, out.split())) >= (4, 4)


@pytest.mark.skipif(not _bash_knows_nosort(), reason="needs bash 4.4")
def test_the_documented_line_completes_in_bash(repository, tmp_path):
    text = (repository / "docs" / "commands.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^eval .*bash_source.*$", text, re.MULTILINE)
    program = tmp_path / "dlf"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dlf_jax "$@"\n')
    program.chmod(0o755)
    script = f"""
{line}
complete -p dlf
COMP_WORDS=(dlf comp) COMP_CWORD=1
_dlf_completion dlf
echo "${{COMPREPLY[@]}}"
"""
    paths = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | paths | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    registered, words = done.stdout.splitlines()
    assert registered.endswith(" -F _dlf_completion dlf")
    assert words == "compress"
