"""The program itself: help, version, arguments handed on."""

import gc
import os
import platform
import subprocess
import sys
import threading
from importlib.metadata import version

import jax
import pytest

import dlf_jax
from dlf_jax import libtpu
from dlf_jax.checkpoints.store import stored_fingerprint
from dlf_jax.cli import main, session
from dlf_jax.errors import UserError


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_lists_the_commands(dlf, arguments):
    status, out, err = dlf(*arguments)
    assert (status, err) == (0, "")
    for name in (
        "compress",
        "decompress",
        "info",
        "models",
        "evaluate",
        "bench",
        "train",
    ):
        assert f"\n  {name} " in out


def test_version_tells_bug_reports_about_versions_devices_and_models(dlf, monkeypatch):
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "")  # so that it is put back
    status, out, err = dlf("--version")
    assert (status, err) == (0, "")
    first, *lines, model = out.splitlines()
    assert first == f"dlf, version {dlf_jax.__version__}"
    facts = dict(line.split(maxsplit=1) for line in lines)
    assert facts["python"].startswith(f"{platform.python_version()}, ")
    assert facts["jax"] == f"{jax.__version__}, jaxlib {version('jaxlib')}"
    assert facts["device"] == "cpu" and facts["processor"].endswith(" cores")
    fingerprint = stored_fingerprint("dlf-nano").hex()
    assert model.split() == ["model", "dlf-nano", fingerprint]


def test_versions_are_told_although_jax_does_not_start(dlf, monkeypatch):
    error = RuntimeError("Unable to\ninitialize backend")
    monkeypatch.setattr(jax, "local_devices", _raise(error))
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "")
    status, out, err = dlf("--version")
    assert (status, err) == (0, "")
    assert "\ndevice     none: Unable to initialize backend\n" in out


def test_every_command_has_help(dlf):
    for name in ("compress", "decompress", "info", "models", "evaluate", "bench"):
        status, out, _ = dlf(name, "--help")
        assert status == 0 and out.startswith(f"Usage: dlf {name} ")


@pytest.mark.parametrize("arguments", ["--help", "compress --help", "export --help"])
def test_programs_start_without_what_trains(repository, arguments):
    code = (
        "import sys\nfrom dlf_jax.cli import main\n"
        f"try: main({arguments.split()})\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=repository
    )
    names = done.stderr.split()
    assert done.returncode == 0 and "click" in names
    heavy = {"absl", "jax", "ml_collections", "dlf_jax.training"}
    assert heavy.intersection(names) == set()


def _raise(error):
    def invoke(*_, **__):
        raise error

    return invoke


# Arguments with which a command begins to work.
_ARGUMENTS = {
    "bulk": ["compress"],
    "compress": ["photo.png"],
    "convert": ["in.npz", "-o", "out"],
    "decompress": ["photo.dlf"],
    "export": ["run", "model"],
    "info": ["photo.dlf"],
}


@pytest.mark.parametrize("name", main.commands)
def test_too_little_memory_is_one_line(name, dlf, monkeypatch):
    monkeypatch.setattr(main.commands[name], "invoke", _raise(MemoryError()))
    status, out, err = dlf(name, *_ARGUMENTS.get(name, []))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("dlf: there is not enough memory for ")
    with_images = ("compress", "decompress", "evaluate")
    assert ("image" in err) == (name in with_images)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("compress", ["for this image: "]),
        ("train", ["--config.batch_size", "--config.crop.size"]),
        ("export", ["for this model: "]),
        ("convert", ["for this model: "]),
    ],
)
def test_too_little_memory_says_what_is_too_large(name, words, dlf, monkeypatch):
    for error in (MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: 8 GiB")):
        monkeypatch.setattr(main.commands[name], "invoke", _raise(error))
        _, _, err = dlf(name, *_ARGUMENTS.get(name, []))
        assert [word for word in words if word not in err] == []
        assert str(error) in err


class Terminal:
    """A stderr that claims to be interactive."""

    def __init__(self):
        self.text = ""
        self.written = threading.Event()

    def isatty(self):
        return True

    def write(self, text):
        self.text += text
        self.written.set()

    def flush(self):
        pass


def test_status_is_shown_when_it_takes_long_and_erased(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(session, "_DELAY_S", 0.0)
    with session.status("working"):
        assert terminal.written.wait(10)
    assert terminal.text.startswith("working ...")
    assert terminal.text.endswith("\r\x1b[K")


def test_status_is_silent_when_quick_or_not_interactive(monkeypatch, capsys):
    monkeypatch.setattr(session, "_DELAY_S", 0.0)
    with session.status("working"):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(session, "_DELAY_S", 60.0)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with session.status("working"):
        pass
    assert "working" not in terminal.text


def test_commands_that_end_soon_collect_no_garbage():
    @session.without_collection
    def command(ends_well):
        assert not gc.isenabled()
        if not ends_well:
            raise UserError("bad input")
        return "done"

    assert command(ends_well=True) == "done"
    with pytest.raises(UserError):
        command(ends_well=False)
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


@pytest.mark.parametrize("there", [True, False])
def test_libtpu_is_told_only_of_an_absent_tpu(there, dlf, monkeypatch):
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "")  # so that it is put back as it was
    monkeypatch.delenv("TPU_SKIP_MDS_QUERY")
    monkeypatch.setattr(libtpu, "has_tpu", lambda: there)
    assert dlf("models")[0] == 0
    assert os.environ.get("TPU_SKIP_MDS_QUERY") == (None if there else "1")
