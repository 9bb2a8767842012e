"""Goals of an encoder: a rate, a size, or a quality."""

import dataclasses
import math
import numbers

from dlf_jax.entropy_coding.rates import Number
from dlf_jax.errors import UserError


@dataclasses.dataclass(frozen=True, repr=False)
class Goal:
    """A rate, or a target that decides it; without any field, the default rate.

    Attributes:
      rate: the rate itself, see `dlf_jax.entropy_coding.rates`.
      target_bytes: most bytes of the file.
      target_bpp: most bits of the file per pixel of the image.
      target_psnr: least PSNR of the decoded image, in dB.
      target_lpips: largest LPIPS-Alex of the decoded image.
      target_dists: largest DISTS of the decoded image.

    Raises:
      UserError: several fields are set, or a target is no positive number.
    """

    rate: Number | None = None
    target_bytes: int | None = None
    target_bpp: Number | None = None
    target_psnr: Number | None = None
    target_lpips: Number | None = None
    target_dists: Number | None = None

    def __post_init__(self):
        given = self._given()
        if len(given) > 1:
            raise UserError(f"{' and '.join(given)} exclude each other: use one")
        given.pop("rate", None)
        for name, value in given.items():
            whole = name == "target_bytes"
            kind = numbers.Integral if whole else numbers.Real
            number = isinstance(value, kind) and not isinstance(value, bool)
            if not (number and 0 < value < math.inf):
                what = "whole number" if whole else "number"
                raise UserError(f"{name} is {value!r}: use a {what} above 0")

    @property
    def has_target(self) -> bool:
        """True if the rate must be searched."""
        return bool(self._given().keys() - {"rate"})

    def _given(self) -> dict[str, Number]:
        return {k: v for k, v in vars(self).items() if v is not None}

    def __repr__(self) -> str:
        return f"Goal({', '.join(f'{k}={v!r}' for k, v in self._given().items())})"
