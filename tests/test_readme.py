"""Commands and examples in documents: run where that is quick, checked otherwise."""

import importlib
import re
import shlex
import tomllib
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

import dlf_jax.cli
from dlf_jax.cli.quality import Quality
from dlf_jax.data.image_io import read_image

_REPOSITORY = Path(__file__).resolve().parent.parent
_DOCUMENTS = sorted(
    path.relative_to(_REPOSITORY).as_posix()
    for folder, pattern in (
        *((".", "*.md"), ("docs", "*.md"), ("launch", "**/*.md")),
        *((".github", "**/*.md"), ("colab", "*.md")),
    )
    for path in (_REPOSITORY / folder).glob(pattern)
)
_SIZE = (40, 60)  # of the stand-in for photo.png
# Commands that end within seconds, given photo.png.
_RUN = ("compress", "info", "decompress", "models")
# Other commands of the README, and the file that runs them, some with small settings.
_ELSEWHERE = {
    "bash launch/quickstart.sh": "tests/test_launch.py",
    "bash launch/test.sh": "launch/test.sh",
    "pip install": "launch/environment.sh",
    "dlf evaluate": "tests/cli/test_evaluate.py",
    "dlf bench": "tests/cli/test_bench.py",
    "dlf demo": "tests/cli/test_demo.py",
    "dlf train": "tests/cli/test_smoke.py",
    "dlf export": "tests/cli/test_smoke.py",
}
_CHANGE = re.compile(r"--config\.([\w.]+)(?:=.*)?")


def blocks(markdown: str, language: str) -> list[str]:
    """Contents of the fenced blocks of a language."""
    pattern = rf"^ *```{language}\n(.*?)^ *```"
    return re.findall(pattern, markdown, re.MULTILINE | re.DOTALL)


def commands(markdown: str) -> list[list[str]]:
    """Words of every command, without comments and assignments in front."""
    found = []
    for block in blocks(markdown, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while "&&" in words:
                found.append(words[: words.index("&&")])
                words = words[words.index("&&") + 1 :]
            found.append(words)
    for words in found:
        while words and re.match(r"[A-Z_]+=", words[0]):
            del words[0]
    return [words for words in found if words]


def _documented(program: str) -> list:
    """Test cases: commands of a program, without repetitions."""
    cases = {}
    for document in _DOCUMENTS:
        for words in commands((_REPOSITORY / document).read_text(encoding="utf-8")):
            if Path(words[0]).name == program:
                name = f"{document}: {' '.join(words)}"
                cases[name] = pytest.param(words[1:], id=name)
    assert cases
    return list(cases.values())


@pytest.fixture
def photo(tmp_path, monkeypatch) -> np.ndarray:
    """Pixels of photo.png in a new current folder."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (*_SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    return pixels


def test_words_of_commands():
    text = "```bash\nA=1 bash x.sh  # why\ndlf a \\\n  'b c' && dlf d\n```\n"
    found = [["bash", "x.sh"], ["dlf", "a", "b c"], ["dlf", "d"]]
    assert commands(text) == found


@pytest.mark.parametrize("arguments", _documented("bash"))
def test_scripts_exist(arguments):
    assert (_REPOSITORY / arguments[0]).is_file()


@pytest.mark.parametrize("arguments", _documented("python"))
def test_programs_exist(arguments):
    if arguments[0] == "-m":
        assert re.fullmatch(r"[\w.]+", arguments[1])
    else:
        compile((_REPOSITORY / arguments[0]).read_text("utf-8"), arguments[0], "exec")


@pytest.mark.parametrize("arguments", _documented("pip"))
def test_extras_and_files_of_requirements_exist(arguments):
    assert arguments[0] == "install"
    project = tomllib.loads((_REPOSITORY / "pyproject.toml").read_text())["project"]
    for option, value in zip(arguments, [*arguments[1:], ""], strict=True):
        if option == "-r":
            assert (_REPOSITORY / value).is_file()
        if found := re.fullmatch(r"\.\[(.+)\]", option):
            extras = set(found[1].split(","))
            assert extras <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("arguments", _documented("dlf"))
def test_options_exist(arguments, photo):
    Path("photo.dlf").touch()
    context, command = click.Context(dlf_jax.cli.main), dlf_jax.cli.main
    while isinstance(command, click.Group):
        name, *arguments = arguments
        context, command = click.Context(command), command.get_command(context, name)
        assert command is not None, name
    command.make_context(name, arguments)


@pytest.mark.parametrize("arguments", _documented("dlf") + _documented("python"))
def test_settings_exist(arguments, get_config):
    values = re.findall(r"--config[= ](\S+)", " ".join(arguments))
    changed = [m[1] for word in arguments if (m := _CHANGE.fullmatch(word))]
    assert len(values) == 1 or not changed
    for value in values:
        file, _, argument = value.partition(":")
        assert file == "configs/dlf.py"
        keys = get_config(argument).to_dict()
        for name in changed:
            found = keys
            for part in name.split("."):
                found = found[part]


def test_readme_is_short_and_shows_a_picture_first():
    lines = (_REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()
    pictures = [i for i, line in enumerate(lines) if "](launch/assets/" in line]
    assert len(lines) <= 150 and pictures[0] < 15


def test_commands_run(photo, monkeypatch, capsys):
    """One after another, with what the earlier ones left."""
    compress = importlib.import_module("dlf_jax.cli.compress")
    quality = Quality(20.0, None, 0.5)
    monkeypatch.setattr(compress, "measure", lambda image, recon: quality)
    text = (_REPOSITORY / "README.md").read_text(encoding="utf-8")
    ran = []
    for program, *arguments in commands(text):
        if program == "dlf" and arguments[0] in _RUN:
            with pytest.raises(SystemExit) as stopped:
                dlf_jax.cli.main(arguments)
            assert not stopped.value.code, capsys.readouterr().err
            ran.append(arguments[0])
    assert {"compress", "decompress"} <= set(ran)
    shapes = [read_image(path).shape for path in Path.cwd().glob("*.png")]
    assert len(shapes) > 1 and set(shapes) == {photo.shape}


def test_every_command_of_the_readme_runs_somewhere():
    text = (_REPOSITORY / "README.md").read_text(encoding="utf-8")
    found = {" ".join(words[:2]) for words in commands(text)}
    assert found == _ELSEWHERE.keys() | {f"dlf {name}" for name in _RUN[:3]}
    for command, file in _ELSEWHERE.items():
        name = Path(command.split()[1]).name
        assert name in (_REPOSITORY / file).read_text(encoding="utf-8"), command


def test_python_examples_of_the_readme_run(photo):
    text = (_REPOSITORY / "README.md").read_text(encoding="utf-8")
    examples, names = blocks(text, "python"), {}
    assert examples
    for example in examples:
        exec(compile(example, "README.md", "exec"), names)
    images = [value for value in names.values() if isinstance(value, np.ndarray)]
    assert len(images) > 1
    assert {(image.shape, image.dtype.name) for image in images} == {
        (photo.shape, "uint8")
    }


def test_python_examples_of_documents_run():
    ran = []
    for document in _DOCUMENTS:
        text = (_REPOSITORY / document).read_text(encoding="utf-8")
        for example in blocks(text, "python") if document != "README.md" else ():
            exec(compile(example, document, "exec"), {})
            ran.append(document)
    assert "docs/deploying.md" in ran


@pytest.mark.parametrize("document", _DOCUMENTS)
def test_paths_exist(document):
    """Of the repository, in ``code font``; further ones are names of other things."""
    text = (_REPOSITORY / document).read_text(encoding="utf-8")
    folders = "colab|configs|dlf_jax|docs|findings|launch|tests"
    for path in re.findall(rf"`((?:{folders})/[\w./-]+)`", text):
        assert (_REPOSITORY / path).exists(), path
