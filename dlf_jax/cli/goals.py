"""Options that decide the rate of files."""

import functools
from collections.abc import Callable

import click

from dlf_jax.codec.goal import Goal

rate_option = click.option(
    "--rate",
    metavar="R",
    type=float,
    help="Rate, 0 for the smallest files, in steps of 1/32; by default the middle one. "
    "`dlf models` lists the rate points.",
)

_TARGETS = {
    "bytes": (int, "N", "Best picture in at most N bytes."),
    "bpp": (float, "X", "Best picture in at most X bits per pixel."),
    "psnr": (float, "DB", "Smallest file with this PSNR or a higher one."),
    "lpips": (float, "Q", "Smallest file with this LPIPS-Alex or a lower one."),
    "dists": (float, "Q", "Smallest file with this DISTS or a lower one."),
}


def goal_options(command: Callable) -> Callable:
    """Adds the options, of which at most one is used; passes `goal`."""

    @rate_option
    @functools.wraps(command)
    def wrapped(rate: float | None, **kwargs):
        targets = {f"target_{name}": kwargs.pop(f"target_{name}") for name in _TARGETS}
        return command(goal=Goal(rate, **targets), **kwargs)

    for name, (kind, metavar, text) in reversed(_TARGETS.items()):
        option = click.option(f"--target-{name}", metavar=metavar, type=kind, help=text)
        wrapped = option(wrapped)
    return wrapped
