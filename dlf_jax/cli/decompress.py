"""``dlf decompress``."""

import sys
import time
from pathlib import Path

import click

from dlf_jax.cli.session import (
    errors_about,
    limit_options,
    load_codec,
    load_codec_for,
    status,
    without_collection,
)
from dlf_jax.errors import UserError
from dlf_jax.limits import Limits


@click.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Image to write, in the format of its ending; IN with the ending "
    ".decoded.png unless given.",
)
@click.option(
    "--model",
    metavar="NAME_OR_DIR",
    help="The model that wrote IN; needed for models that do not come with dlf.",
)
@click.option(
    "--best-effort",
    is_flag=True,
    help="Decode a damaged IN as far as it goes.",
)
@click.option("--force", is_flag=True, help="Overwrite OUT.")
@limit_options
@without_collection
def decompress(
    source: Path,
    output: Path | None,
    model: str | None,
    best_effort: bool,
    force: bool,
    limits: Limits,
) -> None:
    """Gets the image of the file IN back."""
    from dlf_jax.codec.info import file_info
    from dlf_jax.data.image_io import check_extension, encode_image
    from dlf_jax.files import check_output, read_file, write_file

    start = time.perf_counter()
    data = read_file(source)
    with errors_about(source):
        about = file_info(data, damaged=best_effort)
    output = source.with_suffix(".decoded.png") if output is None else output
    check_extension(output.suffix)
    check_output(output, force)
    with status(f"decompressing {source}"):
        if model is None:
            codec = load_codec_for(data, limits, damaged=best_effort)
        else:
            codec = load_codec(model, limits)
        loaded = time.perf_counter()
        with errors_about(source):
            if best_effort:
                image, share = codec.salvage(data)
            else:
                image, share = codec.decompress(data), 1.0
    decoded = time.perf_counter()
    write_file(output, encode_image(image, output.suffix), force)

    if best_effort:
        _report_damage(data, share)
    click.echo(
        f"{output}: {about.width}x{about.height} from {about.num_bytes:,} bytes, "
        f"{about.bpp:.4f} bpp (rate {about.rate}, {codec.model.name})"
    )
    click.echo(f"loading {loaded - start:.2f} s, decoding {decoded - loaded:.2f} s")


def _report_damage(data: bytes, share: float) -> None:
    """Says on stderr what is wrong with a file that was decoded all the same."""
    from dlf_jax.codec.info import file_info

    try:
        file_info(data)
    except UserError as error:
        message = f"{error}; {share:.0%} of its symbols were there, some may be wrong"
        print(f"dlf: {message}", file=sys.stderr)
