"""What the README tells people to type exists and works."""

import re
import shlex

import click
import numpy as np
import pytest
from PIL import Image

import dlf_jax.cli


@pytest.fixture(scope="module")
def readme(repository):
    return (repository / "README.md").read_text(encoding="utf-8")


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def _commands(text: str) -> list[list[str]]:
    lines = "".join(_blocks(text, "bash")).splitlines()
    return [shlex.split(line) for line in lines]


def test_the_two_commands_come_first(readme):
    first = _blocks(readme, "bash")[0].splitlines()
    assert first == ["bash launch/quickstart.sh", "bash launch/test.sh"]


def test_every_command_is_of_a_known_kind(readme):
    kinds = {words[0] for words in _commands(readme)}
    assert kinds == {"bash", "pip", "python3.11", "dlf", "python"}


def test_scripts_exist(repository, readme):
    for words in _commands(readme):
        if words[0] in ("bash", "python"):
            assert (repository / words[1]).is_file(), words


def test_dlf_commands_parse(readme, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "photo.dlf"):
        (tmp_path / name).touch()
    group = dlf_jax.cli.main
    for words in _commands(readme):
        if words[0] == "dlf":
            command = group.get_command(click.Context(group), words[1])
            assert command is not None, words
            command.make_context(words[1], words[2:])


def test_python_example_runs(readme, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    (example,) = _blocks(readme, "python")
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["recon"].shape == (40, 60, 3)
    assert re.match(r"\d+ bytes, \d+\.\d{4} bpp$", capsys.readouterr().out)
