"""λ, the weight of the rate: a ladder of values, climbed where files get too large."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from dlf_jax.errors import UserError
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

    def check(self, num_rates: int) -> None:
        """Raises UserError unless this controls `num_rates` rate points."""
        if len(self.ladders) != num_rates:
            raise UserError(f"lmbda must have {num_rates} ladders, one per rate point")
        for ladder in self.ladders:
            if not ladder or list(ladder) != sorted(set(ladder)):
                raise UserError(f"a ladder of lmbda must ascend, unlike {ladder}")
        if self.windows and len(self.windows) != num_rates:
            raise UserError(f"bpp_window must have {num_rates} pairs, or none")
        for lower, upper in self.windows:
            if not lower < upper:
                raise UserError(f"bpp_window has ({lower}, {upper}): lower comes first")

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
