"""Random inputs that cost no compilation."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture
def normal() -> Callable[..., jax.Array]:
    """Draws standard normal float32 arrays of a shape, the same in every run."""
    rng = np.random.default_rng(0)
    return lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
