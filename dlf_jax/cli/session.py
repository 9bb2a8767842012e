"""Shared parts of commands: limits, loading of codecs, errors, progress."""

import contextlib
import functools
import gc
import math
import sys
import threading
from collections.abc import Callable, Iterator

import click

from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS, Limits

_DELAY_S = 1.0
_ERASE_LINE = "\r\x1b[K"


def limit_options(command: Callable) -> Callable:
    """Adds the options of commands that take images of any size; passes `limits`."""

    @click.option(
        "--max-megapixels",
        type=click.FloatRange(min=0, min_open=True),
        default=DEFAULT_LIMITS.pixels / 1e6,
        show_default=True,
        help="Reject larger images.",
    )
    @click.option(
        "--max-memory",
        metavar="GIB",
        type=click.FloatRange(min=0, min_open=True),
        default=DEFAULT_LIMITS.memory / 2**30,
        show_default=True,
        help="Reject images for which the network needs more.",
    )
    @functools.wraps(command)
    def wrapped(max_megapixels: float, max_memory: float, **kwargs):
        if not math.isfinite(max_megapixels + max_memory):
            raise click.UsageError("A limit must be a finite number.")
        pixels, memory = int(max_megapixels * 1e6), int(max_memory * 2**30)
        return command(limits=Limits(pixels, memory), **kwargs)

    return wrapped


def only_errors_of_libraries() -> None:
    """Hides what libraries log through absl, some at their import, except errors."""
    from absl import logging

    logging.use_absl_handler()
    logging.set_verbosity(logging.ERROR)


def without_collection(command: Callable) -> Callable:
    """Turns Python's cyclic garbage collection off during a short command.

    Imports and weights stay until the end of the command, and repeated scans of them
    take a tenth of its time.
    """

    @functools.wraps(command)
    def wrapped(**kwargs):
        gc.disable()
        try:
            return command(**kwargs)
        finally:
            collect_garbage()

    return wrapped


def collect_garbage() -> None:
    """Turns the collection on again, for objects made from now on."""
    gc.freeze()
    gc.enable()


def load_codec(
    model: str, limits: Limits = DEFAULT_LIMITS
) -> "dlf_jax.codec.codec.Codec":
    """Loads a bundled model or a model directory, and turns the compile cache on."""
    from dlf_jax.codec import catalog
    from dlf_jax.compile_cache import enable_compile_cache

    enable_compile_cache()
    return catalog.load(model, limits)


def load_codec_for(
    file: "dlf_jax.codec.container.ParsedFile", limits: Limits
) -> "dlf_jax.codec.codec.Codec":
    """Loads the bundled model that wrote a file, and turns the compile cache on."""
    from dlf_jax.codec import catalog
    from dlf_jax.compile_cache import enable_compile_cache

    enable_compile_cache()
    return catalog.load_for(file, limits)


@contextlib.contextmanager
def errors_about(name: object) -> Iterator[None]:
    """Prefixes errors about the content of a file with the name of the file."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


@contextlib.contextmanager
def status(message: str) -> Iterator[None]:
    """Shows a message on an interactive stderr while work takes more than a second."""
    if not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(
        _DELAY_S, lambda: print(f"{message} ...", end="", file=sys.stderr, flush=True)
    )
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        print(_ERASE_LINE, end="", file=sys.stderr, flush=True)
