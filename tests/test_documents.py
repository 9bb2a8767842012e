"""Documents and the code that refers to them agree."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlf_jax.models.variants import VARIANTS

_FOLDERS = ("colab", "configs", "dlf_jax", "docs", "launch", "tests")
_SUFFIXES = {".html", ".ipynb", ".js", ".md", ".mjs", ".py", ".sh", ".toml", ".txt"}
_SUFFIXES |= {".css", ".yaml"}


def texts(repository: Path) -> Iterator[tuple[Path, str]]:
    """Every file that people read, except this one, and its text."""
    paths = [path for path in repository.iterdir() if path.is_file()]
    for folder in _FOLDERS:
        paths += (repository / folder).rglob("*")
    for path in sorted(paths):
        if path.suffix in _SUFFIXES and path != Path(__file__).resolve():
            yield path, path.read_text(encoding="utf-8")


def anchors(markdown: str) -> set[str]:
    """The fragments by which GitHub's links find the headings of a document."""
    prose = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    found = []
    for heading in re.findall(r"^#{1,6} +(.+?) *$", prose, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


def links(markdown: str) -> list[str]:
    """Targets of the links and pictures of a document."""
    prose = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^()\s]+)\)", prose)


def references(text: str) -> list[tuple[str, str]]:
    """(document, heading) of everything like docs/name.md#heading."""
    return re.findall(r"\b(docs/[\w-]+\.md)#([\w-]*)", text)


def test_anchors_are_those_of_github():
    markdown = (
        "# One `two`\n```bash\n# no heading\n```\n## A, b: c-d\n## One two\n### Ü\n"
    )
    assert anchors(markdown) == {"one-two", "a-b-c-d", "one-two-1", "ü"}


def test_references_to_headings_resolve(repository):
    documents = {
        path.relative_to(repository).as_posix(): anchors(path.read_text("utf-8"))
        for path in (repository / "docs").glob("*.md")
    }
    found = [
        (path.relative_to(repository).as_posix(), document, heading)
        for path, text in texts(repository)
        for document, heading in references(text)
    ]
    assert {"configs", "dlf_jax", "tests"} <= {file.split("/")[0] for file, *_ in found}
    assert not [f for f in found if f[2] not in documents.get(f[1], ())]


def test_relative_links_resolve(repository):
    wrong = []
    documents = {path: text for path, text in texts(repository) if path.suffix == ".md"}
    for path, text in documents.items():
        for link in links(text):
            file, _, fragment = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            found = target.exists() and target.is_relative_to(repository)
            if found and fragment and target.suffix == ".md":
                found = fragment in anchors(target.read_text(encoding="utf-8"))
            if not found and not link.startswith(("https://", "http://")):
                wrong.append(f"{path.relative_to(repository)}: {link}")
    names = {path.relative_to(repository).as_posix() for path in documents}
    assert {"README.md", "docs/architecture.md", "docs/format.md"} <= names
    assert not wrong


def test_nothing_refers_to_sections_by_number(repository):
    """Headings have no numbers: a reference is a name that readers can find."""
    pattern = re.compile(r"§|\barchitecture spec\b|\bspec\.md\b")
    wrong = [
        f"{path.relative_to(repository)}: {line.strip()}"
        for path, text in texts(repository)
        for line in text.splitlines()
        if pattern.search(line)
    ]
    assert not wrong


def test_the_figure_is_what_its_script_draws(repository):
    script = runpy.run_path(str(repository / "docs" / "architecture_figure.py"))
    drawn = (repository / "docs" / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == script["figure"](VARIANTS["dlf-l"])


def test_the_table_of_hours_is_what_its_script_prints(repository):
    hours = repository / "launch" / "studies" / "aot" / "hours.py"
    text = (repository / "docs" / "training.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(hours))["table"]() in text


@pytest.mark.parametrize("heading", ["", "no-such-heading"])
def test_a_reference_that_leads_nowhere_is_found(heading):
    (found,) = references(f"See docs/architecture.md#{heading}.")
    assert found == ("docs/architecture.md", heading)
    assert heading not in anchors("# Data flow\n")
