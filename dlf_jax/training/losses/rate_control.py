"""Control of λ, the weight of the rate, by the bits per pixel at validation."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from dlf_jax.typing import Float, Int


@dataclasses.dataclass(frozen=True)
class RateControl:
    """Values of λ for every rate point, and the bits per pixel that decide.

    Attributes:
      ladders: ascending values of λ for every rate point, lowest rate first.
      windows: (lower, upper) limit of the bits per pixel of the detail branch for every
        rate point; empty if λ stays at the first value.
    """

    ladders: tuple[tuple[float, ...], ...]
    windows: tuple[tuple[float, float], ...] = ()

    def lmbda(self, rungs: Int[np.ndarray, "R"]) -> Float[np.ndarray, "R"]:
        """Returns λ at these indices into the ladders, float32."""
        pairs = zip(self.ladders, rungs, strict=True)
        return np.array([ladder[rung] for ladder, rung in pairs], np.float32)

    def adapt(
        self, rungs: Int[np.ndarray, "R"], bpp: Sequence[float]
    ) -> Int[np.ndarray, "R"]:
        """Moves each index by at most one after a validation.

        Args:
          rungs: index into the ladder of every rate point.
          bpp: bits per pixel of the detail branch at validation for every rate point,
            with rounded symbols.

        Returns:
          The new indices: one up if `bpp` is above the window, one down if it is below,
          within the ladder.

        Reference: docs/architecture.md#rate-control.
        """
        if not self.windows:
            return rungs
        lower, upper = np.array(self.windows).T
        step = (np.asarray(bpp) > upper).astype(int) - (np.asarray(bpp) < lower)
        last = np.array([len(ladder) - 1 for ladder in self.ladders])
        return np.clip(rungs + step, 0, last).astype(np.int32)
