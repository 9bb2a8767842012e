"""Arguments of ``dlf train``, ``export`` and ``aot``, and messages about wrong ones."""

import pytest

_CONFIG = "--config=configs/dlf.py"


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("train", [f"{_CONFIG}:stage=x"], "stage=x is not one of vqgan, tokenizer, "),
        ("train", ["--config=none.py"], "No such file or directory: 'none.py'"),
        ("train", [_CONFIG], "name the folder of the run with --workdir"),
        (
            "train",
            [_CONFIG, "--config.crop.nokey=1"],
            "unknown setting crop.nokey; is ",
        ),
        ("train", [_CONFIG, "--config.model=dlf-nano"], "renamed: use model.variant"),
        ("train", [_CONFIG, "--config.loss.lpips=1"], "renamed: use loss.lpips_vgg"),
        (
            "train",
            [_CONFIG, "--workdir=x", "--config.model.detail_width=100"],
            "detail_width must be a multiple of head_width, 32, not 100",
        ),
        (
            "train",
            [_CONFIG, "--config.model.vqgan.patch=x"],
            "model.vqgan.patch must be a whole number from 1",
        ),
        (
            "train",
            [_CONFIG, "--config.steps=1.5"],
            "from 1 to 1_000_000_000, not '1.5'",
        ),
        ("train", [_CONFIG, "--config.crop.flip=x"], "crop.flip must be True or False"),
        ("train", ["--config.steps=5"], "--config.steps needs --config; see dlf train"),
        ("train", ["--config=README.md"], "SyntaxError: "),
        ("train", [_CONFIG, "--workdir=x", "--config.loss.l1=nan"], "0, not nan"),
        ("train", [_CONFIG, "extra"], "unexpected argument extra"),
        ("aot", [_CONFIG], "name the slice with --topology and the settings"),
        ("aot", [_CONFIG, "--topology=v5e:2x2", "--config.steps=0"], "steps must be a"),
        ("aot", [_CONFIG, "--topology=v5e:2x2", "--photo=100"], "128, not 100"),
        ("aot", ["extra"], "unexpected argument extra; see dlf aot --help"),
        ("export", ["nowhere", "model", "--dtype=int16"], "'int16' is not one of"),
        ("export", [], "Missing argument 'SOURCE'. See `dlf export --help`"),
    ],
)
@pytest.mark.slow
def test_errors_are_one_line(repository, dlf_process, command, arguments, message):
    done = dlf_process(command, *arguments, cwd=repository)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("dlf: ") and message in line


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("train", "--workdir=x"), ("export", "x", "y")])
def test_libraries_print_nothing_beside_an_error(repository, dlf_process, arguments):
    done = dlf_process(*arguments, cwd=repository)
    assert (
        done.stderr == f"dlf: {repository}/x is not the --workdir of a training run: "
        "name one, or start it with `dlf train --config`\n"
    )


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "train",
            ["dlf train --config=", "--workdir", "--nocluster"]
            + ["  optimizer.b1: ", "  model.grid: "],
        ),
        ("aot", ["dlf aot --topology=", "--config", "--photo"]),
        ("export", ["SOURCE DIRECTORY", "--dtype", "--best", "--onnx"]),
    ],
)
@pytest.mark.slow
def test_help(repository, dlf_process, command, words):
    done = dlf_process(command, "--help", cwd=repository)
    assert done.returncode == 0 and done.stderr == ""
    assert [word for word in words if word not in done.stdout] == []
