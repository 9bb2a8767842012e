"""Quality of a decoded image, as printed by commands."""

import dataclasses
import functools
import statistics
import sys
from collections.abc import Sequence

import numpy as np

from dlf_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Quality:
    """Distances of two images; None for undefined and unavailable ones.

    Attributes:
      psnr: in dB.
      ms_ssim: in [0, 1], for sides of 161 pixels and more.
      lpips_alex: for sides of 32 pixels and more.
    """

    psnr: float
    ms_ssim: float | None
    lpips_alex: float | None

    def __str__(self) -> str:
        return (
            f"PSNR {number(self.psnr, 2)} dB, MS-SSIM {number(self.ms_ssim, 4)}, "
            f"LPIPS-Alex {number(self.lpips_alex, 4)}"
        )


def measure(image: np.ndarray, recon: np.ndarray) -> Quality:
    """Compares 8-bit images of equal size."""
    from dlf_jax.metrics import table

    values = table.measure(image, recon, ("psnr", "ms_ssim"))
    try:
        values |= table.measure(image, recon, ("lpips_alex",))
    except UserError as error:
        _note(str(error))
        values["lpips_alex"] = None
    return Quality(**values)


def mean(qualities: Sequence[Quality]) -> Quality:
    """Means over the images that have a value; None where none has."""
    names = [field.name for field in dataclasses.fields(Quality)]
    columns = {
        name: [getattr(quality, name) for quality in qualities] for name in names
    }
    known = {name: [v for v in columns[name] if v is not None] for name in names}
    return Quality(
        **{
            name: statistics.fmean(known[name]) if known[name] else None
            for name in names
        }
    )


def number(value: float | int | None, digits: int) -> str:
    """Formats a value; "n/a" for None."""
    return "n/a" if value is None else f"{value:.{digits}f}"


@functools.cache
def _note(message: str) -> None:
    """Prints once on stderr why a number is missing."""
    print(f"dlf: {message}", file=sys.stderr)
