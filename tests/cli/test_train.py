"""What arguments ``dlf train``, ``export`` and ``aot`` may have, and what is said."""

import pytest

_CONFIG = "configs/dlf.py"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([f"--config={_CONFIG}:stage=x"], "stage=x is not one of vqgan, tokenizer, "),
        (["--config=none.py"], "No such file or directory: 'none.py'"),
        ([f"--config={_CONFIG}"], "name the folder of the run with --workdir"),
        (["--workdir=nowhere"], "nowhere is not the --workdir of a training run"),
        ([f"--config={_CONFIG}", "--config.nokey=1"], "there is no setting nokey"),
        ([f"--config={_CONFIG}", "--config.steps=a"], "for int() with base 10: 'a'"),
        ([f"--config={_CONFIG}", "extra"], "unexpected argument extra"),
    ],
)
@pytest.mark.slow
def test_errors_are_one_line(repository, dlf_process, arguments, message):
    done = dlf_process("train", *arguments, cwd=repository)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("dlf: ") and message in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([f"--config={_CONFIG}"], "name the slice with --topology and the settings"),
        ([f"--config={_CONFIG}", "--config.nokey=1"], "there is no setting nokey"),
        (["extra"], "unexpected argument extra; see dlf aot --help"),
    ],
)
@pytest.mark.slow
def test_errors_of_aot_are_one_line(repository, dlf_process, arguments, message):
    done = dlf_process("aot", *arguments, cwd=repository)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("dlf: ") and message in line


@pytest.mark.slow
def test_export_knows_its_types(repository, dlf_process):
    done = dlf_process("export", "run", "model", "--dtype=int16", cwd=repository)
    assert done.returncode == 2 and "'int8', 'float16', 'float32'" in done.stderr


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
