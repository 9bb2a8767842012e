"""``dlf compress``."""

import time
from pathlib import Path

import click

from dlf_jax.cli.quality import measure
from dlf_jax.cli.session import (
    limit_options,
    load_codec,
    status,
    without_collection,
)
from dlf_jax.coding.coders import CODERS
from dlf_jax.limits import Limits


@click.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="File to write; IN with the ending .dlf unless given.",
)
@click.option("--rate", metavar="K", type=int, help="Rate, 0 for the smallest files.")
@click.option("--model", metavar="NAME_OR_DIR", default="dlf-nano", show_default=True)
@click.option(
    "--coder",
    type=click.Choice([coder.name for coder in CODERS.values()]),
    default=CODERS[0].name,
    show_default=True,
    help="Entropy coder; tfc needs TensorFlow Compression here and where OUT is read.",
)
@click.option("--metrics", is_flag=True, help="Also decode, and print the quality.")
@click.option("--force", is_flag=True, help="Overwrite OUT.")
@limit_options
@without_collection
def compress(
    source: Path,
    output: Path | None,
    rate: int | None,
    model: str,
    coder: str,
    metrics: bool,
    force: bool,
    limits: Limits,
) -> None:
    """Compresses the image IN (PNG, JPEG, WebP, ...)."""
    from dlf_jax.data.image_io import decode_image
    from dlf_jax.files import check_output, read_file, write_file

    start = time.perf_counter()
    content = read_file(source)
    output = source.with_suffix(".dlf") if output is None else output
    check_output(output, force)
    image = decode_image(content, str(source), limits.pixels)
    height, width, _ = image.shape
    with status(f"compressing {source}"):
        codec = load_codec(model, limits)
        loaded = time.perf_counter()
        rate = codec.default_rate if rate is None else rate
        data = codec.compress(image, rate, coder=coder)
    encoded = time.perf_counter()
    quality = None
    if metrics:
        with status(f"decompressing {output} and measuring"):
            quality = measure(image, codec.decompress(data))
    write_file(output, data, force)

    piped = not output.is_file()  # what is printed must not end up in the file
    click.echo(
        f"{output}: {len(data):,} bytes, {8 * len(data) / (height * width):.4f} bpp "
        f"({width}x{height}, rate {rate}, {codec.model.name})",
        err=piped,
    )
    if quality is not None:
        click.echo(quality, err=piped)
    seconds = f"loading {loaded - start:.2f} s, encoding {encoded - loaded:.2f} s"
    click.echo(seconds, err=piped)
