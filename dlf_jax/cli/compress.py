"""``dlf compress``."""

import time

import click

from dlf_jax.cli.paths import TEXT
from dlf_jax.cli.quality import measure
from dlf_jax.cli.session import (
    limit_options,
    load_codec,
    status,
    without_collection,
)
from dlf_jax.cli.streams import INPUT, OUTPUT, Input, Output
from dlf_jax.entropy_coding.coders import CODERS
from dlf_jax.limits import Limits


@click.command()
@click.argument("source", metavar="IN", type=INPUT)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=OUTPUT,
    help="File to write, - for stdout; by default IN with the ending .dlf.",
)
@click.option("--rate", metavar="K", type=int, help="Rate, 0 for the smallest files.")
@click.option(
    "--model",
    metavar="NAME_OR_DIR",
    type=TEXT,
    default="dlf-nano",
    show_default=True,
)
@click.option(
    "--coder",
    type=click.Choice([coder.name for coder in CODERS.values()]),
    default=CODERS[0].name,
    show_default=True,
    help="Entropy coder; tfc needs TensorFlow Compression, also to decompress.",
)
@click.option("--metrics", is_flag=True, help="Also decompress, and print the quality.")
@click.option("--force", is_flag=True, help="Overwrite OUT.")
@limit_options
@without_collection
def compress(
    source: Input,
    output: Output | None,
    rate: int | None,
    model: str,
    coder: str,
    metrics: bool,
    force: bool,
    limits: Limits,
) -> None:
    """Compresses the image IN (PNG, JPEG, WebP, ...), - for stdin."""
    from dlf_jax.data.image_io import decode_image

    start = time.perf_counter()
    content = source.read()
    output = output or source.output(".dlf")
    output.check(force)
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
    output.write(data, force)

    lines = [
        f"{output}: {len(data):,} bytes, {8 * len(data) / (height * width):.4f} bpp "
        f"({width}x{height}, rate {rate}, {codec.model.name})",
        f"loading {loaded - start:.2f} s, encoding {encoded - loaded:.2f} s",
    ]
    if quality is not None:
        lines.insert(1, str(quality))
    output.report(*lines)
