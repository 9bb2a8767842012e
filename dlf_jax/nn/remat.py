"""Blocks: units of rematerialisation, and of the programs that run on tiles."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

from flax import linen as nn

from dlf_jax.ops.links import boundary

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
    """Marks the ``__call__`` of a module, of one array, as a block.

    Blocks are units of `recompute_blocks`, and have borders for `ops.links`.
    """
    recomputed = nn.remat(call)

    @functools.wraps(call)
    def bordered(module: nn.Module, x: Any) -> Any:
        made = recomputed if _RECOMPUTING.get() else call
        return boundary(made(module, boundary(x)))

    return bordered
