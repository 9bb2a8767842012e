"""Settings on command lines: every way to write them, and what is said of others."""

import click
import pytest
from absl import flags

from dlf_jax.cli.settings import SettingsCommand, settings_options
from dlf_jax.errors import UserError

# ml_collections reads files of settings so, in all its releases.
pytestmark = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")


@click.command(cls=SettingsCommand)
@click.option("--workdir")
@settings_options
def _show(config, workdir):
    """Shows its settings."""
    return config, workdir


@pytest.fixture
def read(repository, monkeypatch):
    """The settings and the --workdir of some arguments after --config."""
    monkeypatch.chdir(repository)

    def read(*arguments, file="--config=configs/dlf.py:preset=smoke,stage=vqgan"):
        given = ([file] if file else []) + list(arguments)
        return _show.main(given, prog_name="dlf show", standalone_mode=False)

    return read


def test_a_file_alone(read):
    config, workdir = read()
    model = config.model.variant
    assert (model, config.steps, workdir) == ("dlf-smoke", 6, None)
    assert config.is_locked
    assert read(file=None) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--config.steps=3"], "steps", 3),
        (["--config.steps", "3"], "steps", 3),
        (["-config.steps=3"], "steps", 3),
        (["--config.steps=4", "--config.steps=3"], "steps", 3),
        (["--config.crop.flip"], "crop.flip", True),
        (["--noconfig.crop.flip"], "crop.flip", False),
        (["--config.crop.flip=false"], "crop.flip", False),
        (["--config.loss.l1", "-1"], "loss.l1", -1.0),
        (["-config.batch_size=8"], "batch_size", 8),
        (["--config.lmbda=((2.0,),(1.0,))"], "lmbda", ((2.0,), (1.0,))),
        (["--config.data=a b=c,d"], "data", "a b=c,d"),
    ],
)
def test_changes(read, arguments, name, value):
    for given in (
        ["--workdir", "run", *arguments],
        [*arguments, "--workdir=run"],
    ):
        config, workdir = read(*given)
        assert workdir == "run"
        assert _value(config, name) == value


def _value(config, name):
    for part in name.split("."):
        config = config[part]
    return config


def test_the_home_directory(read, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    config, _ = read("--config.data=~/photos")
    assert config.data == "/home/me/photos"


def test_flags_of_the_process_stay_as_they_are(read):
    before = set(flags.FLAGS)
    read("--config.steps=3")
    assert set(flags.FLAGS) == before
    assert read("--config.seed=1")[0].steps == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.step=3"], "unknown setting step; is steps meant?"),
        (["--config.steps=x"], "steps must be a whole number from 1 to 1_000_000_000"),
        (["--config.remat=x"], "remat must be True or False, not 'x'"),
        (["extra"], "unexpected argument extra"),
    ],
)
def test_wrong_values(read, arguments, message):
    with pytest.raises(UserError) as error:
        read(*arguments)
    assert str(error.value).startswith(message)
    assert str(error.value).endswith("; see dlf show --help")


def test_changes_without_a_file(read):
    with pytest.raises(UserError, match=r"^--config\.remat needs --config; see dlf "):
        read("--workdir=x", "--noconfig.remat", file=None)


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("--workdri=x", "--workdir"),
        ("--steps=3", "--config.steps"),
        ("--crop.flip", "--config.crop.flip"),
    ],
)
def test_unknown_options(read, option, meant):
    for file in (None, "--config=configs/dlf.py"):
        with pytest.raises(click.NoSuchOption) as error:
            read(option, file=file)
        assert error.value.option_name == option.partition("=")[0]
        assert error.value.possibilities == [meant]


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_ends_with_the_table(read, capsys, option):
    assert read(option) == 0
    help, table = capsys.readouterr().out.split("\n\nsettings, ")
    assert help.startswith("Usage: dlf show [OPTIONS] [--config.NAME=VALUE]...\n")
    assert "--workdir" in help and "--config FILE" in help
    assert "\n  optimizer.b1: " in table
