"""Errors about too little memory, with the remedy for each command."""

import contextlib
from collections.abc import Callable, Iterator

from dlf_jax.errors import UserError

# Object of the work of a command, and the remedy if memory does not suffice.
_TOO_LARGE = {
    "compress": "this image: use a smaller one",
    "decompress": "this image: use a machine with more memory",
    "info": "this file: use a machine with more memory",
    "models": "the models: use a machine with more memory",
    "evaluate": "these images: lower --processes, or use smaller ones",
    "bench": "this size: name smaller ones with --sizes",
    "bulk": "this job: use fewer workers",
    "train": "training: lower --config.batch_size or --config.crop.size, or raise "
    "--config.accumulate",
    "export": "this model: use a machine with more memory",
    "convert": "this model: use a machine with more memory",
    "demo": "this model: use a machine with more memory",
    "aot": "compiling: lower --config.batch_size, --config.crop.size or --photo",
}


@contextlib.contextmanager
def enough_memory(command: Callable[[], str]) -> Iterator[None]:
    """Turns the exceptions of too little memory into a UserError.

    Args:
      command: returns the name of the command at work.
    """
    try:
        yield
    except MemoryError:
        what = _TOO_LARGE[command()]
        raise UserError(f"there is not enough memory for {what}") from None
    except RuntimeError as error:  # of XLA
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        what = _TOO_LARGE[command()]
        raise UserError(
            f"the device has not enough memory for {what} ({error})"
        ) from error
