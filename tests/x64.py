"""64-bit arrays for a while, in every release of JAX."""

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def x64(enabled: bool) -> Iterator[None]:
    """Makes 64-bit types the default, or not: `jax.enable_x64`, new in JAX 0.8."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", enabled)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)
