"""The rows of launch/matrix.txt, their constraints, and how they find their Python."""

import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.processes import run_script

EXTRAS_OF_OLDEST = ("train", "tfds", "evaluate", "beam")


@pytest.fixture(scope="module")
def project(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def rows(repository: Path) -> list[list[str]]:
    lines = (repository / "launch" / "matrix.txt").read_text().splitlines()
    return [line.split() for line in lines if not line.startswith("#")]


def _pins(path: Path) -> dict[str, str]:
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    return dict(line.split("==") for line in lines if line)


def test_rows_name_what_there_is(rows, project, repository):
    names = [name for name, *_ in rows]
    assert len(set(names)) == len(names)
    assert {"3.11", "3.12", "3.13", "3.14"} == {python for _, python, *_ in rows}
    for _, _, constraints, extras in rows:
        assert constraints == "-" or _pins(repository / constraints)["jax"]
        assert {"test", *extras.split(",")} <= project["optional-dependencies"].keys()


def test_oldest_releases_are_the_lower_bounds(project, repository):
    extras = project["optional-dependencies"]
    requirements = [r for extra in EXTRAS_OF_OLDEST for r in extras[extra]]
    bounds = dict(r.split(">=") for r in project["dependencies"] + requirements)
    pins = _pins(repository / "launch" / "constraints" / "oldest.txt")
    assert pins == bounds | {"jaxlib": bounds["jax"]}


@pytest.mark.parametrize("name", ["colab", "tpu"])
def test_pinned_releases_are_in_the_ranges(name, project, repository):
    pins = _pins(repository / "launch" / "constraints" / f"{name}.txt")
    bounds = dict(r.split(">=") for r in project["dependencies"])
    pinned = bounds.keys() & pins.keys()
    assert {"jax", "flax", "orbax-checkpoint", "numpy"} <= pinned
    for package in pinned:
        versions = pins[package], bounds[package]
        found, least = ([int(n) for n in re.findall(r"\d+", v)] for v in versions)
        assert found >= least, package


def test_ci_takes_the_rows_from_the_file(rows, repository):
    workflow = repository / ".github" / "workflows" / "tests.yml"
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    command = jobs["rows"]["steps"][-1]["run"]
    environment = {"PATH": "/usr/bin:/bin", "GITHUB_OUTPUT": "/dev/stdout"}
    found = subprocess.check_output(
        ["bash", "-c", command], cwd=repository, env=environment, text=True
    )
    key, _, value = found.strip().partition("=")
    assert key == "rows"
    assert yaml.safe_load(value) == [
        {"name": name, "python": python} for name, python, *_ in rows
    ]


def _find_python(repository: Path, home: Path, *arguments: str, **environment: str):
    return subprocess.run(
        [
            "bash",
            "-c",
            'source launch/environment.sh; find_python "$@"',
            "test.sh",
            *arguments,
        ],
        cwd=repository,
        env={"PATH": f"{home}/bin:/usr/bin:/bin", "HOME": str(home), **environment},
        capture_output=True,
        text=True,
    )


def _make_python(path: Path, answer: str) -> str:
    """An interpreter of version "3.99", which no machine has, if `answer` is 0."""
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/bash\n[ "$3" = 3.99 ] || exit 1\nexit {answer}\n')
    path.chmod(0o755)
    return str(path)


def test_a_python_that_is_missing_is_one_line(repository, tmp_path):
    done = _find_python(repository, tmp_path, "3.99")
    assert done.returncode == 1 and not done.stdout
    assert done.stderr == (
        "Python 3.99 was not found. Install it, or run: "
        "PYTHON=/path/to/python bash test.sh\n"
    )


def test_pyenv_has_what_its_shim_refuses(repository, tmp_path):
    _make_python(tmp_path / "bin" / "python3.99", "127")
    versions = tmp_path / ".pyenv" / "versions"
    _make_python(versions / "3.990.1" / "bin" / "python", "0")
    python = _make_python(versions / "3.99.1" / "bin" / "python", "0")
    assert _find_python(repository, tmp_path, "3.99").stdout.strip() == python
    moved = tmp_path / "elsewhere"
    versions.parent.rename(moved)
    found = _find_python(repository, tmp_path, "3.99", PYENV_ROOT=str(moved))
    assert found.stdout.strip() == f"{moved}/versions/3.99.1/bin/python"


def test_the_python_that_is_named_comes_first(repository, tmp_path):
    _make_python(tmp_path / "bin" / "python3.99", "0")
    named = _make_python(tmp_path / "named" / "python", "0")
    found = _find_python(repository, tmp_path, "3.99", PYTHON=named)
    assert found.stdout.strip() == named


def test_unknown_rows_are_one_line(repository):
    done = run_script("launch/test.sh", "--matrix", "3.9", cwd=repository)
    assert done.returncode == 2
    assert done.stderr == "unknown row 3.9: see launch/matrix.txt\n"


def test_table_of_versions(repository):
    script = runpy.run_path(str(repository / "launch" / "versions.py"))
    versions = ("0.7.2", "0.11.2", "1", "2", "3")
    releases = dict(zip(script["PACKAGES"], versions, strict=True))
    found = {"python": "3.13.0", **releases, "quickstart": True, "date": "2026-11-30"}
    found |= {"passed": 5, "failed": 1, "skipped": 2}
    found["reads"] = {"a": {}, "b": {"model": "the models differ"}}
    *_, row = script["table"]({"colab": found}).splitlines()
    assert row == (
        "| `colab` | 3.13.0 | 0.7.2 | 0.11.2 | 1 | 2 | 3 | yes | 5 | 1 | 2 | 1 of 2 "
        "| 2026-11-30 |"
    )
