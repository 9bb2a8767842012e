"""CPU time of calls, for the scripts beside this file."""

import resource
from collections.abc import Callable

import jax


def cpu_seconds(
    function: Callable, *args: object, calls: int = 1
) -> tuple[float, float]:
    """CPU time of a call in user mode and in the kernel; the mean of several calls."""
    start = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(calls):
        jax.block_until_ready(function(*args))
    end = resource.getrusage(resource.RUSAGE_SELF)
    user, system = end.ru_utime - start.ru_utime, end.ru_stime - start.ru_stime
    return user / calls, system / calls
