"""Profiles are recorded for the wanted steps and no others."""

import jax
import jax.numpy as jnp
import pytest

from dlf_jax.training.run.profiling import profile_steps


@pytest.fixture
def calls(monkeypatch):
    """Starts and stops of recordings, in the place of real ones."""
    calls = []
    monkeypatch.setattr(jax.profiler, "start_trace", lambda d: calls.append("start"))
    monkeypatch.setattr(jax.profiler, "stop_trace", lambda: calls.append("stop"))
    return calls


def _run(first, last, steps, calls, tmp_path):
    with profile_steps(tmp_path, first, last) as after_step:
        for step in steps:
            calls.append(step)
            after_step(step, jnp.zeros(()))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (3, 4, [1, 2, "start", 3, 4, "stop", 5, 6]),
        (3, 3, [1, 2, "start", 3, "stop", 4, 5, 6]),
        (5, 9, [1, 2, 3, 4, "start", 5, 6, "stop"]),
        (0, 0, [1, 2, 3, 4, 5, 6]),
        (8, 9, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_recorded_steps(first, last, expected, calls, tmp_path):
    _run(first, last, range(1, 7), calls, tmp_path)
    assert calls == expected


def test_a_resumed_run_records_what_is_left(calls, tmp_path):
    _run(3, 6, range(5, 8), calls, tmp_path)
    assert calls == [5, "start", 6, "stop", 7]


def test_a_real_profile_is_written(tmp_path):
    with profile_steps(tmp_path, 2, 2) as after_step:
        for step in (1, 2):
            after_step(step, jnp.ones(8) * step)
    assert list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))
