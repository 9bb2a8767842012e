"""``dlf convert``."""

from pathlib import Path

import click

from dlf_jax.cli.paths import PATH
from dlf_jax.cli.session import status


@click.command()
@click.argument(
    "sources",
    metavar="SOURCE...",
    nargs=-1,
    required=True,
    type=PATH,
)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    required=True,
    type=PATH,
    help="Folder to create; with --to-official, a .safetensors or .npz file.",
)
@click.option("--name", help="Name of the model; by default that of OUT.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="Type of the stored weights.",
)
@click.option(
    "--encoder-heads",
    metavar="N",
    type=click.IntRange(1),
    help="Attention heads of the encoder's trunk; by default its width / 64.",
)
@click.option(
    "--decoder-heads",
    metavar="N",
    type=click.IntRange(1),
    help="Attention heads of the decoder's trunk; by default its width / 64.",
)
@click.option(
    "--head-width",
    metavar="N",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Width of one attention head in all other parts.",
)
@click.option(
    "--to-official",
    is_flag=True,
    help="Write the weights of the folder SOURCE under their official names.",
)
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def convert(
    sources: tuple[Path, ...],
    output: Path,
    name: str | None,
    dtype: str,
    encoder_heads: int | None,
    decoder_heads: int | None,
    head_width: int,
    to_official: bool,
    force: bool,
) -> None:
    """Converts the official checkpoint SOURCE to a model.

    SOURCE is a DLF checkpoint, as a file of PyTorch, .safetensors or .npz.  TiTok-L-32,
    a taming VQGAN, or both become a folder from which training can start.
    """
    from dlf_jax.checkpoints import convert as conversion
    from dlf_jax.checkpoints.infer import Heads

    if to_official:
        if len(sources) > 1:
            raise click.UsageError("--to-official takes one folder.")
        with status(f"writing {output}"):
            count = conversion.to_official(sources[0], output, overwrite=force)
        click.echo(f"{output}: {count} arrays under official names")
        return
    with status(f"converting into {output}"):
        report = conversion.convert(
            sources,
            output,
            name=name,
            dtype=dtype,
            heads=Heads(encoder_heads, decoder_heads, head_width),
            overwrite=force,
        )
    click.echo(f"{output}: {' and '.join(report.titles)}")
    model, training = (f"{count / 1e6:.1f} M" for count in report.num_values)
    if report.fingerprint:
        click.echo(f"fingerprint: {report.fingerprint}")
        click.echo(f"parameters: {model} of the model, {training} for training")
    else:
        click.echo(f"parameters: {training}, for training to start from")
    for what, count in report.dropped.items():
        if count:
            click.echo(f"left out: {count} arrays, {what}")
