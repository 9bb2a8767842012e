"""Docstrings, comments, messages and documents are in plain English."""

import ast
import re

import pytest

from tests.test_documents import texts

_CLAUSE = re.compile(r"(What|How|Whether)\b")
_PHRASE = re.compile(r"\b(go(?:es)?\s+on|shall|mended|cannot\s+be\s+had|but\s+for)\b")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def clauses(source: str) -> list[str]:
    """First lines of docstrings that begin with a clause as a subject."""
    nodes = [n for n in ast.walk(ast.parse(source)) if isinstance(n, _DOCUMENTED)]
    lines = [(ast.get_docstring(node) or "").partition("\n")[0] for node in nodes]
    return [line for line in lines if _CLAUSE.match(line)]


def phrases(text: str) -> list[str]:
    """Phrases that have a plainer form."""
    return [" ".join(match[0].split()) for match in _PHRASE.finditer(text)]


def test_docstrings_begin_with_a_noun_or_a_verb(repository):
    found = {
        path.relative_to(repository).as_posix(): wrong
        for path, text in texts(repository)
        if path.suffix == ".py" and (wrong := clauses(text))
    }
    assert not found


def test_phrases_are_plain(repository):
    found = {
        path.relative_to(repository).as_posix(): wrong
        for path, text in texts(repository)
        if path.name != "test_prose.py" and (wrong := phrases(text))
    }
    assert not found


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ('"""Whether x."""', ["Whether x."]),
        ('def f():\n  """How y.\n\n  What z.\n  """', ["How y."]),
        ('"""Whatever z."""', []),
        ("x = 1", []),
    ],
)
def test_clauses_are_found(source, wrong):
    assert clauses(source) == wrong


def test_phrases_are_found():
    assert phrases("it goes\n  on, but for one; shallow but forced") == [
        "goes on",
        "but for",
    ]
