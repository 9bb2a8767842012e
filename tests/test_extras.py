"""Messages about missing libraries."""

import json
import re
import sys
import tomllib

import pytest

from dlf_jax.errors import UserError
from dlf_jax.extras import needs


def test_a_library_that_is_there_is_returned():
    assert needs("json", "evaluate") is json


def test_a_missing_library_names_its_extra_and_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UserError) as error:
        needs("pillow_heif", "evaluate", "pillow-heif")
    assert str(error.value) == (
        'pillow_heif is missing: pip install ".[evaluate]" in the checkout of dlf_jax, '
        "or pip install pillow-heif"
    )


@pytest.mark.parametrize("error", ["ImportError", "type('OfItsOwn', (Exception,), {})"])
def test_a_library_that_does_not_load_says_why(error, tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text(
        f"raise {error}('libGL.so.1: cannot open\\nshared object file')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError) as error:
        needs("broken_library", "evaluate")
    assert str(error.value) == (
        "broken_library is installed but does not load "
        "(libGL.so.1: cannot open shared object file): install it again"
    )


def test_every_extra_that_is_named_exists(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    named = set()
    for path in (repository / "dlf_jax").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r'needs\(\s*[\w."]+, "(\w+)"', text))
        named |= set(re.findall(r"how\(['\"](\w+)", text))
    assert named >= {"aot", "beam", "evaluate", "gcs", "tfds", "train"}
    assert named <= set(project["optional-dependencies"])
