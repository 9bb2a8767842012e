"""A profile of a few steps, for TensorBoard's profile plugin or Perfetto."""

import contextlib
import os
from collections.abc import Callable, Iterator

import jax

from dlf_jax.typing import PyTree


@contextlib.contextmanager
def profile_steps(
    directory: os.PathLike, first: int, last: int
) -> Iterator[Callable[[int, PyTree], None]]:
    """Records the steps `first` to `last`, if the run reaches them.

    Args:
      directory: receives ``plugins/profile/``.
      first, last: steps, both included; (0, 0) records nothing.  The first step after a
        start is never recorded, because the program is compiled before it.

    Yields:
      A function to call after every step with its number and its results.  Recording
      begins and ends when the results are ready.
    """
    recording = False

    def after_step(step: int, results: PyTree) -> None:
        nonlocal recording
        if not recording and first - 1 <= step < last:
            jax.block_until_ready(results)
            jax.profiler.start_trace(directory)
            recording = True
        elif recording and step >= last:
            jax.block_until_ready(results)
            jax.profiler.stop_trace()
            recording = False

    try:
        yield after_step
    finally:
        if recording:
            jax.profiler.stop_trace()
