"""``dlf export``."""

from pathlib import Path

import click
from click.core import ParameterSource

from dlf_jax.cli.paths import PATH, TEXT
from dlf_jax.cli.session import only_errors_of_libraries, status
from dlf_jax.errors import UserError
from dlf_jax.extras import needs
from dlf_jax.files import check_output, new_folder

_OF_CHECKPOINTS = ("dtype", "token_crops", "best")


@click.command()
@click.argument("source", type=TEXT)
@click.argument("directory", type=PATH)
@click.option(
    "--dtype",
    type=click.Choice(["int8", "float16", "float32"]),
    default="int8",
    show_default=True,
    help="Type of the stored weights; int8 is that of large kernels alone.",
)
@click.option(
    "--token-crops",
    type=click.IntRange(0),
    default=4096,
    show_default=True,
    help="Crops of training photos on which tokens are counted, for shorter files; "
    "0 leaves them at fixed length.",
)
@click.option(
    "--best",
    is_flag=True,
    help="The checkpoint of lowest validation loss, under the lambda of its time, "
    "instead of the newest.",
)
@click.option(
    "--onnx",
    is_flag=True,
    help="Write SOURCE, the name or folder of a model, as ONNX for programs without "
    "Python. Needs the extra onnx.",
)
@click.option("--force", is_flag=True, help="Overwrite files in DIRECTORY.")
@click.pass_context
def export(
    context: click.Context,
    source: str,
    directory: Path,
    dtype: str,
    token_crops: int,
    best: bool,
    onnx: bool,
    force: bool,
) -> None:
    """Writes the last checkpoint of the run SOURCE as a model DIRECTORY.

    With --onnx, SOURCE is a model, and DIRECTORY receives the networks, for images of
    any number of tiles, and the integers that code files:

    \b
    analyze.onnx        image to tokens and latent
    synthesize.onnx     tokens and latent to image
    tables.safetensors  context model, token frequencies, Gaussian tables
    model.json          name, fingerprint and sizes
    """
    if onnx:
        given = [
            name
            for name in _OF_CHECKPOINTS
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        ]
        if given:
            option = given[0].replace("_", "-")
            raise click.UsageError(
                f"--{option} is an option of checkpoints, not --onnx."
            )
        _export_onnx(source, directory, force)
        return
    only_errors_of_libraries()
    needs("grain", "train")
    from dlf_jax.training.export.export import export as write_model
    from dlf_jax.training.run.checkpointing import absolute

    step = write_model(
        absolute(source),
        directory,
        dtype=dtype,
        best=best,
        token_crops=token_crops,
        overwrite=force,
    )
    click.echo(f"{directory}: step {step}")


def _export_onnx(model: str, directory: Path, force: bool) -> None:
    from dlf_jax.browser.networks import write_networks
    from dlf_jax.browser.tables import write_tables

    check_output(directory, force, folder=True)
    with status(f"converting {model}"), new_folder(directory):
        try:
            write_networks(model, directory)
        except NotImplementedError as error:
            raise UserError(
                f"{model} cannot be converted to ONNX ({error}): use a model with the "
                "sizes of dlf-nano"
            ) from error
        write_tables(model, directory)
    for file in sorted(directory.glob("*.onnx")):
        click.echo(f"{file}: {file.stat().st_size:,} bytes")
