"""The program itself: help, version, arguments handed on."""

import gc
import importlib.util
import os
import runpy
import sys
import threading

import pytest

import dlf_jax
from dlf_jax import libtpu
from dlf_jax.cli import session
from dlf_jax.errors import UserError


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_lists_the_commands(dlf, arguments):
    status, out, err = dlf(*arguments)
    assert (status, err) == (0, "")
    for name in ("compress", "decompress", "info", "models", "evaluate", "train"):
        assert f"\n  {name} " in out


def test_version(dlf):
    assert dlf("--version") == (0, f"dlf, version {dlf_jax.__version__}\n", "")


def test_every_command_has_help(dlf):
    for name in ("compress", "decompress", "info", "models", "evaluate"):
        status, out, _ = dlf(name, "--help")
        assert status == 0 and out.startswith(f"Usage: dlf {name} ")


def test_training_programs_get_their_arguments(dlf, tmp_path, monkeypatch):
    (tmp_path / "show_arguments.py").write_text("import sys; print(sys.argv[1:])")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", ["dlf"])
    asked, run_module = [], runpy.run_module

    def run(module, **kwargs):
        asked.append(module)
        return run_module("show_arguments", **kwargs)

    monkeypatch.setattr(runpy, "run_module", run)
    for name in ("train", "export", "aot"):
        status, out, _ = dlf(name, "--config=x:y", "-k", "--help")
        assert status == 0
        assert out == "['--config=x:y', '-k', '--help']\n"
    names = ("main", "export", "aot")
    assert asked == [f"dlf_jax.training.{name}" for name in names]
    assert all(importlib.util.find_spec(name) for name in asked)


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
