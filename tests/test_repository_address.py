"""launch/set_repository.sh: one address in every file that shows it."""

import difflib
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

_FIRST = "https://github.com/someone/dlf_jax"
_SECOND = "https://github.com/other-team/dlf.jax"
_SCRIPTS = ("environment.sh", "set_repository.sh", "set_repository.py")
_FILES = ("README.md", "CITATION.cff", "pyproject.toml", "docs/mkdocs.yml")


def _set(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", checkout / "launch/set_repository.sh", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def _texts(checkout: Path) -> dict[str, str]:
    paths = [checkout / file for file in _FILES]
    paths += sorted((checkout / "colab").glob("*.ipynb"))
    return {str(path.relative_to(checkout)): path.read_text("utf-8") for path in paths}


def _addresses(texts: dict[str, str]) -> dict[str, str]:
    """The address in each file; "" for none."""
    urls = tomllib.loads(texts["pyproject.toml"])["project"].get("urls", {})
    site = re.search(r"^repo_url: (.*)$", texts["docs/mkdocs.yml"], re.MULTILINE)
    tests = re.search(
        r"\((https://[^()\s]+)/actions/workflows/tests\.yml\)", texts["README.md"]
    )
    found = {
        "pyproject.toml": urls.get("Repository", ""),
        "CITATION.cff": yaml.safe_load(texts["CITATION.cff"]).get(
            "repository-code", ""
        ),
        "docs/mkdocs.yml": site[1] if site else "",
        "README.md": tests[1] if tests else "",
    }
    for file in texts.keys() - found.keys():
        lines = [
            line
            for cell in json.loads(texts[file])["cells"]
            for line in cell["source"]
            if line.startswith("REPOSITORY = ")
        ]
        (line,) = lines
        found[file] = line.split('"')[1]
    return found


@pytest.fixture
def checkout(repository, tmp_path) -> Path:
    """A copy without an address."""
    for folder in ("colab", "docs", "launch"):
        (tmp_path / folder).mkdir()
    for file in (*_FILES, *(f"launch/{name}" for name in _SCRIPTS)):
        shutil.copy(repository / file, tmp_path / file)
    for notebook in (repository / "colab").glob("*.ipynb"):
        shutil.copy(notebook, tmp_path / "colab")
    return tmp_path


def test_all_files_have_the_same_address(repository):
    """That of pyproject.toml, or none of them has one."""
    addresses = _addresses(_texts(repository))
    assert any(file.endswith(".ipynb") for file in addresses)
    assert len(set(addresses.values())) == 1, addresses


def test_writes_an_address_and_replaces_it_by_another(checkout):
    assert _set(checkout, _FIRST).returncode == 0
    first = _texts(checkout)
    assert set(_addresses(first).values()) == {_FIRST}
    assert len(first["README.md"].splitlines()) <= 150
    assert _set(checkout, _FIRST + ".git").returncode == 0
    assert _texts(checkout) == first

    assert _set(checkout, _SECOND + "/").returncode == 0
    second = _texts(checkout)
    assert set(_addresses(second).values()) == {_SECOND}
    assert not [file for file, text in second.items() if "someone" in text]
    swapped = {
        file: text.replace("someone/dlf_jax", "other-team/dlf.jax")
        for file, text in first.items()
    }
    assert second == swapped


def test_every_notebook_opens_in_colab_from_itself_and_the_readme(checkout):
    _set(checkout, _FIRST)
    texts = _texts(checkout)
    for file in texts:
        if file.endswith(".ipynb"):
            link = "https://colab.research.google.com/github/someone/dlf_jax/blob/main/"
            title = "".join(json.loads(texts[file])["cells"][0]["source"])
            assert title.count(f"]({link}{file})") == 1
            assert texts["README.md"].count(f"]({link}{file})") == 1


def test_changes_no_other_lines(checkout):
    before = _texts(checkout)
    _set(checkout, _FIRST)
    for file, text in _texts(checkout).items():
        changed = difflib.ndiff(before[file].splitlines(), text.splitlines())
        removed = [line for line in changed if line.startswith("- ")]
        assert all(re.search(r"REPOSITORY|\]\(colab/", line) for line in removed), file


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dlf_jax"],
        ["https://github.com/owner"],
        ["https://github.com/a/.."],
        ["ftp://a.b/c/d"],
    ],
)
def test_rejects_other_addresses(arguments, checkout):
    before = _texts(checkout)
    done = _set(checkout, *arguments)
    assert done.returncode != 0 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "https://github.com/OWNER/NAME" in line
    assert _texts(checkout) == before


def test_writes_nothing_if_a_file_has_no_place_for_the_address(checkout):
    path = checkout / "CITATION.cff"
    path.write_text("title: dlf_jax\n", encoding="utf-8")
    before = _texts(checkout)
    done = _set(checkout, _FIRST)
    assert done.returncode != 0 and "CITATION.cff" in done.stderr
    assert _texts(checkout) == before
