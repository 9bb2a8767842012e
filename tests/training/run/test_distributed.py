"""When a process joins others."""

import jax
import pytest

from dlf_jax.errors import UserError
from dlf_jax.training.run.distributed import UNFINISHED, exit_status, join_job

_EXPLICIT = {
    "JAX_COORDINATOR_ADDRESS": "host:1234",
    "JAX_NUM_PROCESSES": "4",
    "JAX_PROCESS_ID": "3",
}


@pytest.mark.parametrize(
    ("environ", "cluster", "expected"),
    [
        ({}, False, []),
        (_EXPLICIT, False, [("host:1234", 4, 3)]),
        ({"SLURM_JOB_ID": "7", "SLURM_STEP_NUM_TASKS": "1"}, False, []),
        ({"SLURM_JOB_ID": "7", "SLURM_STEP_NUM_TASKS": "2"}, False, [()]),
        ({"TPU_WORKER_HOSTNAMES": "a"}, False, []),
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, False, [()]),
        ({}, True, [()]),
    ],
)
def test_environment_decides(environ, cluster, expected, monkeypatch):
    calls = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *args: calls.append(args))
    join_job(environ, cluster=cluster)
    assert calls == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"JAX_PROCESS_ID": None}, "set all of JAX_COORDINATOR_ADDRESS"),
        ({"JAX_NUM_PROCESSES": "four"}, "must be numbers"),
    ],
)
def test_half_a_job_is_an_error(changes, message):
    environ = {k: v for k, v in (_EXPLICIT | changes).items() if v is not None}
    with pytest.raises(UserError, match=message):
        join_job(environ)


@pytest.mark.parametrize(
    ("processes", "step", "status"),
    [(1, 5, 0), (1, 9, 0), (2, 5, UNFINISHED), (2, 9, 0)],
)
def test_several_processes_that_stop_early_are_not_done(
    processes, step, status, monkeypatch
):
    monkeypatch.setattr(jax, "process_count", lambda: processes)
    assert exit_status(step, num_steps=9) == status
