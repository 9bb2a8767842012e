"""Multi-process jobs: joining the other processes, and stopping together."""

import os
import signal
from collections.abc import Mapping
from types import FrameType

import jax
from jax.experimental import multihost_utils

from dlf_jax import interruption
from dlf_jax.errors import UserError

# EX_TEMPFAIL: start again.
UNFINISHED = 75

_EXPLICIT = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


def join_job(environ: Mapping[str, str] = os.environ, *, cluster: bool = False) -> None:
    """Calls `jax.distributed.initialize` if this process is one of several.

    Several processes exist if JAX_COORDINATOR_ADDRESS (host:port of the first process),
    JAX_NUM_PROCESSES and JAX_PROCESS_ID are set; in a SLURM step of several tasks; with
    several names in TPU_WORKER_HOSTNAMES, as on GKE; or if `cluster` is set.

    Args:
      environ: environment variables.
      cluster: jax finds the other processes itself, as on the hosts of a Cloud TPU
        slice.

    Raises:
      UserError: only some of the three variables are set, or they are not numbers.
    """
    given = [environ[name] for name in _EXPLICIT if name in environ]
    if len(given) == len(_EXPLICIT):
        address, *numbers = given
        if not all(number.isdecimal() for number in numbers):
            raise UserError(f"{_EXPLICIT[1]} and {_EXPLICIT[2]} must be numbers")
        jax.distributed.initialize(address, *map(int, numbers))
    elif given:
        raise UserError(f"set all of {', '.join(_EXPLICIT)}, or none of them")
    elif cluster or _others_exist(environ):
        jax.distributed.initialize()


def _others_exist(environ: Mapping[str, str]) -> bool:
    tasks = environ.get("SLURM_STEP_NUM_TASKS", "1")
    return tasks != "1" or "," in environ.get("TPU_WORKER_HOSTNAMES", "")


def agreed(value: bool) -> bool:
    """Returns the value of the first process; all of them call it at the same step."""
    if jax.process_count() == 1:
        return value
    return bool(multihost_utils.broadcast_one_to_all(value))


def exit_status(step: int, num_steps: int) -> int:
    """Returns the exit status of a run that ends at `step` of `num_steps`.

    Each of several processes that stopped early ends with `UNFINISHED`, even if another
    one received the signal: a cluster then starts all of them again.
    """
    return UNFINISHED if jax.process_count() > 1 and step < num_steps else 0


class Stop:
    """Turns the first SIGINT or SIGTERM after a step into a request to stop.

    A second signal acts at once, as does every signal before the first step, when there
    is nothing to save.  With several processes, jax's own handler of SIGTERM stays in
    place, which agrees with the others on a step at which all of them stop.
    """

    def __init__(self):
        self._alone = jax.process_count() == 1
        self._number: int | None = None
        self._previous = {}

    def __enter__(self) -> "Stop":
        return self

    @property
    def interrupted(self) -> bool:
        """True if the request came from Ctrl-C."""
        return self._number == signal.SIGINT

    def requested(self, step: int) -> bool:
        """Returns whether `step` is the last one; call it at every step and process."""
        if not self._alone:
            return multihost_utils.reached_preemption_sync_point(step)
        if not self._previous:
            interruption.leave_next_signal(to_others=True)
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self._number is not None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def __exit__(self, *exc_info: object) -> None:
        interruption.leave_next_signal(to_others=False)
        self._restore()
