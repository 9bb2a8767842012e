"""What commands share around the codec: loading it, and showing that it works."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from dlf_jax.errors import UserError

_DELAY_S = 1.0
_ERASE_LINE = "\r\x1b[K"


def load_codec(model: str) -> "dlf_jax.codec.codec.Codec":
    """The codec of a bundled model or a model directory, with the compile cache on."""
    from dlf_jax.codec import catalog
    from dlf_jax.codec.compile_cache import enable_compile_cache

    enable_compile_cache()
    return catalog.load(model)


def load_codec_for(data: bytes) -> "dlf_jax.codec.codec.Codec":
    """The codec of the bundled model that wrote a file, with the compile cache on."""
    from dlf_jax.codec import catalog
    from dlf_jax.codec.compile_cache import enable_compile_cache

    enable_compile_cache()
    return catalog.load_for(data)


@contextlib.contextmanager
def errors_about(path: Path) -> Iterator[None]:
    """Puts the name of a file in front of errors about its content."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


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
