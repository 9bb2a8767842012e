"""Rematerialisation of blocks, switched on by training."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

from flax import linen as nn

_RECOMPUTING = contextvars.ContextVar("recomputing", default=False)


@contextlib.contextmanager
def recompute_blocks(active: bool = True) -> Iterator[None]:
    """Recomputes blocks traced inside in the backward pass; only inputs are stored.

    Memory falls from all activations of a network to one per block, at the cost of a
    second forward pass.  Values and gradients stay the same.
    """
    token = _RECOMPUTING.set(active)
    try:
        yield
    finally:
        _RECOMPUTING.reset(token)


def block(call: Callable[..., Any]) -> Callable[..., Any]:
    """Marks the ``__call__`` of a module as a unit of `recompute_blocks`."""
    recomputed = nn.remat(call)

    @functools.wraps(call)
    def maybe_recomputed(*args: Any) -> Any:
        return (recomputed if _RECOMPUTING.get() else call)(*args)

    return maybe_recomputed
