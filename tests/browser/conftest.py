"""Type checks off while functions are traced for sizes that are variables."""

from collections.abc import Iterator

import jaxtyping
import pytest


@pytest.fixture(scope="module")
def symbolic_sizes() -> Iterator[None]:
    """Lets functions annotated with `int` take symbolic dimensions."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
