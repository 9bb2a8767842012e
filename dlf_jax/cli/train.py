"""``dlf train``, ``export`` and ``aot``: programs of `dlf_jax.training`."""

import runpy
import sys

import click

from dlf_jax.extras import needs

_FORWARD = {"ignore_unknown_options": True, "help_option_names": []}


@click.command(context_settings=_FORWARD)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def train(arguments: tuple[str, ...]) -> None:
    """Trains one stage; see `dlf train --help`."""
    _run("dlf_jax.training.main", arguments, "grain", "tensorboardX")


@click.command(context_settings=_FORWARD)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def export(arguments: tuple[str, ...]) -> None:
    """Makes a model directory of a training run; see `dlf export --help`."""
    _run("dlf_jax.training.export.export", arguments, "grain")


@click.command(context_settings=_FORWARD)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def aot(arguments: tuple[str, ...]) -> None:
    """Compiles for a TPU slice that is not there; see `dlf aot --help`."""
    _run("dlf_jax.training.devices.aot", arguments)


def _run(module: str, arguments: tuple[str, ...], *libraries: str) -> None:
    """Runs a module as a program; `libraries` are those of the extra train it needs."""
    for library in libraries:
        needs(library, "train")
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)
