"""``dlf onnx``."""

from pathlib import Path

import click

from dlf_jax.cli.paths import PATH, TEXT
from dlf_jax.cli.session import status
from dlf_jax.files import check_output


@click.command()
@click.argument("model", type=TEXT)
@click.argument("directory", type=PATH)
@click.option("--force", is_flag=True, help="Overwrite files in DIRECTORY.")
def onnx(model: str, directory: Path, force: bool) -> None:
    """Writes MODEL, a name or a folder, as ONNX for programs without Python.

    \b
    analyze.onnx        image to tokens and latent
    synthesize.onnx     tokens and latent to image
    tables.safetensors  integers that code files: context model, frequencies
    model.json          name, fingerprint and sizes

    The networks take images of any number of tiles. Needs the extra onnx.
    """
    from dlf_jax.browser.networks import write_networks
    from dlf_jax.browser.tables import write_tables

    check_output(directory, force, folder=True)
    with status(f"converting {model}"):
        directory.mkdir(exist_ok=True)
        write_networks(model, directory)
        write_tables(model, directory)
    for file in sorted(directory.glob("*.onnx")):
        click.echo(f"{file}: {file.stat().st_size:,} bytes")
