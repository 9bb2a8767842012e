"""Reports reach the screen, metrics.jsonl and TensorBoard."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from dlf_jax.training.run import monitor
from dlf_jax.training.run.monitor import Monitor
from tests.training.event_files import read_events


class _Terminal(io.StringIO):
    def isatty(self):
        return True


class _Clock:
    """Stands for the module time; only tests move it."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def time(self):
        return 1e9 + self.now


@pytest.fixture
def clock(monkeypatch):
    clock = _Clock()
    monkeypatch.setattr(monitor, "time", clock)
    return clock


def _make(workdir, **changes):
    options = {
        "first_step": 20,
        "num_steps": 100,
        "batch_size": 8,
        "main_process": True,
    }
    return Monitor(workdir, **(options | changes))


def _lines(workdir):
    return [json.loads(s) for s in (workdir / "metrics.jsonl").read_text().splitlines()]


def test_numbers_reach_every_place(tmp_path, clock, capsys):
    with _make(tmp_path) as watch:
        clock.now += 5.0
        watch.train(30, {"loss": 1.5, "l1": 0.25})
        clock.now += 2.5
        watch.train(40, {"loss": float("nan"), "l1": 0.125})
    assert capsys.readouterr().out.splitlines() == [
        "step      30 loss 1.5 l1 0.25 images/s 16",
        "step      40 loss nan l1 0.125 images/s 32",
    ]
    assert _lines(tmp_path) == [
        {"step": 30, "time": 1e9 + 105, "loss": 1.5, "l1": 0.25, "images/s": 16.0},
        {"step": 40, "time": 1e9 + 107.5, "loss": None, "l1": 0.125, "images/s": 32.0},
    ]
    events = read_events(tmp_path / "tensorboard")
    assert events["l1"] == {30: 0.25, 40: 0.125}
    assert events["images/s"] == {30: 16.0, 40: 32.0}
    assert events["loss"][30] == 1.5 and np.isnan(events["loss"][40])


def test_validation_shows_pictures_and_takes_no_time(tmp_path, clock):
    picture = np.random.default_rng(0).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    with _make(tmp_path) as watch:
        clock.now += 5.0
        watch.train(30, {"loss": 1.0})
        clock.now += 60.0
        watch.validation(30, {"psnr/0": 20.5}, {"photo_0": picture})
        clock.now += 5.0
        watch.train(40, {"loss": 1.0})
    events = read_events(tmp_path / "tensorboard")
    assert events["val/psnr/0"] == {30: 20.5}
    assert events["images/s"] == {30: 16.0, 40: 16.0}
    with Image.open(io.BytesIO(events["val/photo_0"][30])) as shown:
        np.testing.assert_array_equal(np.asarray(shown), picture)
    assert _lines(tmp_path)[1] == {"step": 30, "time": 1e9 + 165, "val/psnr/0": 20.5}


def test_without_photos_validation_says_nothing(tmp_path, capsys):
    with _make(tmp_path) as watch:
        watch.train(30, {"loss": 1.0})
        watch.validation(30, {}, {})
    assert [list(line)[2] for line in _lines(tmp_path)] == ["loss"]
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_terminal_shows_a_bar(tmp_path, capsys):
    terminal = _Terminal()
    with _make(tmp_path, terminal=terminal) as watch:
        watch.train(60, {"loss": 1.25})
        watch.say("a line")
    shown = terminal.getvalue()
    assert "60/100" in shown and "loss 1.25" in shown and "images/s" in shown
    assert capsys.readouterr().out == "a line\n"


def test_a_resumed_run_appends(tmp_path):
    for first in (20, 30):
        with _make(tmp_path, first_step=first) as watch:
            watch.train(first + 10, {"loss": 1.0})
    assert [line["step"] for line in _lines(tmp_path)] == [30, 40]
    assert set(read_events(tmp_path / "tensorboard")["loss"]) == {30, 40}


def test_other_processes_are_silent(tmp_path, capsys):
    with _make(tmp_path, main_process=False) as watch:
        watch.train(30, {"loss": 1.0})
        watch.validation(30, {"psnr": 1.0}, {"p": np.zeros((2, 2, 3), np.uint8)})
        watch.say("a line")
    assert capsys.readouterr() == ("", "") and list(tmp_path.iterdir()) == []
