"""Options of `dlf decompress` for payloads without header."""

import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any

import click

from dlf_jax.entropy_coding.coders import CODERS
from dlf_jax.entropy_coding.rates import Number


@dataclasses.dataclass(frozen=True)
class Raw:
    """The facts that a header would have.

    Attributes:
      size: (width, height) of the image, in pixels.
      rate: of the encoder.
      coder: name of the entropy coder.
    """

    size: tuple[int, int]
    rate: Number
    coder: str


class _Size(click.ParamType):
    name = "WxH"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Reads two numbers of pixels."""
        found = re.fullmatch(r"([1-9]\d{0,9})x([1-9]\d{0,9})", value, re.ASCII)
        if not found:
            self.fail(f"{value!r} is no size in pixels, such as 768x512.", param, ctx)
        return int(found[1]), int(found[2])


def raw_options(command: Callable) -> Callable:
    """Adds the options; passes `raw`, which is None for files with a header."""

    @click.option(
        "--raw",
        is_flag=True,
        help="IN comes from `dlf compress --raw`: name --size, --rate and --model too.",
    )
    @click.option("--size", type=_Size(), help="Size of the image of a raw IN.")
    @click.option("--rate", metavar="R", type=float, help="Rate of a raw IN.")
    @click.option(
        "--coder",
        type=click.Choice([coder.name for coder in CODERS.values()]),
        help=f"Entropy coder of a raw IN, {CODERS[0].name} by default.",
    )
    @functools.wraps(command)
    def wrapped(raw: bool, size, rate, coder, model, best_effort, **kwargs):
        if raw and None in (size, rate, model):
            raise click.UsageError("--raw needs --size, --rate and --model.")
        if raw and best_effort:
            raise click.UsageError(
                "--best-effort needs a file with a checksum, and --raw has none."
            )
        if not raw and (size, rate, coder) != (None, None, None):
            raise click.UsageError("--size, --rate and --coder need --raw.")
        found = Raw(size, rate, coder or CODERS[0].name) if raw else None
        return command(raw=found, model=model, best_effort=best_effort, **kwargs)

    return wrapped
