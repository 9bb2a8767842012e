"""λ, the weight of the rate: a ladder of values, climbed where files get too large."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from dlf_jax.typing import Float, Int


@dataclasses.dataclass(frozen=True)
class RateControl:
    """What λ may be for every rate point, and what decides.

    Attributes:
      ladders: ascending values of λ for every rate point, lowest rate first.
      windows: (lower, upper) bits per pixel of the detail branch for every rate point;
        empty where λ stays at the first value.
    """

    ladders: tuple[tuple[float, ...], ...]
    windows: tuple[tuple[float, float], ...] = ()

    def lmbda(self, rungs: Int[np.ndarray, "R"]) -> Float[np.ndarray, "R"]:
        """The λ in force at these indices into the ladders, float32."""
        pairs = zip(self.ladders, rungs, strict=True)
        return np.array([ladder[rung] for ladder, rung in pairs], np.float32)

    def adapt(
        self, rungs: Int[np.ndarray, "R"], bpp: Sequence[float]
    ) -> Int[np.ndarray, "R"]:
        """Rungs after a validation: each moves by one at most.

        Args:
          rungs: index into the ladder of every rate point.
          bpp: bits per pixel that the detail branch took at validation, rounded
            symbols, for every rate point.

        Returns:
          The next rungs: one up above the window, one down below it, within the ladder.

        Reference: docs/architecture.md#rate-control.
        """
        if not self.windows:
            return rungs
        lower, upper = np.array(self.windows).T
        step = (np.asarray(bpp) > upper).astype(int) - (np.asarray(bpp) < lower)
        last = np.array([len(ladder) - 1 for ladder in self.ladders])
        return np.clip(rungs + step, 0, last).astype(np.int32)
