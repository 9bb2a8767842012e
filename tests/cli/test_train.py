"""What arguments ``dlf train``, ``export`` and ``aot`` may have, and what is said."""

import pytest

_CONFIG = "--config=configs/dlf.py"


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("train", [f"{_CONFIG}:stage=x"], "stage=x is not one of vqgan, tokenizer, "),
        ("train", ["--config=none.py"], "No such file or directory: 'none.py'"),
        ("train", [_CONFIG], "name the folder of the run with --workdir"),
        ("train", ["--workdir=nowhere"], "nowhere is not the --workdir of a training"),
        ("train", [_CONFIG, "--config.nokey=1"], "there is no setting nokey"),
        ("train", [_CONFIG, "--config.steps=a"], "for int() with base 10: 'a'"),
        ("train", [_CONFIG, "extra"], "unexpected argument extra"),
        ("aot", [_CONFIG], "name the slice with --topology and the settings"),
        ("aot", [_CONFIG, "--config.nokey=1"], "there is no setting nokey"),
        ("aot", ["extra"], "unexpected argument extra; see dlf aot --help"),
        ("export", ["nowhere", "model"], "nowhere is not the --workdir of a training"),
        ("export", ["nowhere", "model", "--dtype=int16"], "'int16' is not one of"),
        ("export", [], "Missing argument 'WORKDIR'. See `dlf export --help`"),
    ],
)
@pytest.mark.slow
def test_errors_are_one_line(repository, dlf_process, command, arguments, message):
    done = dlf_process(command, *arguments, cwd=repository)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("dlf: ") and message in line


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("train", ["dlf train --config=", "--workdir", "--[no]cluster"]),
        ("aot", ["dlf aot --topology=", "--config", "--photo"]),
        ("export", ["WORKDIR DIRECTORY", "--dtype", "--best"]),
    ],
)
@pytest.mark.slow
def test_help(repository, dlf_process, command, words):
    done = dlf_process(command, "--help", cwd=repository)
    assert done.returncode == 0 and done.stderr == ""
    assert [word for word in words if word not in done.stdout] == []
