"""A profile of a few steps, for TensorBoard's profile plugin or Perfetto."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import jax


@contextlib.contextmanager
def profile_steps(
    directory: os.PathLike, first: int, last: int
) -> Iterator[Callable[[int, Any], None]]:
    """Records the steps `first` to `last`, if the run comes to them.

    Args:
      directory: receives ``plugins/profile/``.
      first, last: steps, both included; (0, 0) records nothing.  Nor is the first step
        after a start recorded, before which the program is compiled.

    Yields:
      Function to be called after every step with its number and results of it, which
      are waited for before the recording begins and before it ends.
    """
    recording = False

    def after_step(step: int, results: Any) -> None:
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
