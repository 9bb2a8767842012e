"""``dlf export``."""

from pathlib import Path

import click

from dlf_jax.cli.paths import PATH, TEXT
from dlf_jax.cli.session import only_errors_of_libraries
from dlf_jax.extras import needs


@click.command()
@click.argument("workdir", type=TEXT)
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
@click.option("--force", is_flag=True, help="Overwrite a model in DIRECTORY.")
def export(
    workdir: str,
    directory: Path,
    dtype: str,
    token_crops: int,
    best: bool,
    force: bool,
) -> None:
    """Writes the last checkpoint of WORKDIR as a model DIRECTORY."""
    only_errors_of_libraries()
    needs("grain", "train")
    from dlf_jax.training.export.export import export as write_model
    from dlf_jax.training.run.checkpointing import absolute

    step = write_model(
        absolute(workdir),
        directory,
        dtype=dtype,
        best=best,
        token_crops=token_crops,
        overwrite=force,
    )
    click.echo(f"{directory}: step {step}")
