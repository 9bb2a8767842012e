"""``dlf decompress``."""

import time
from pathlib import Path

import click

from dlf_jax.cli.session import errors_about, load_codec, load_codec_for, status


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
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def decompress(
    source: Path, output: Path | None, model: str | None, force: bool
) -> None:
    """Gets the image of the file IN back."""
    from dlf_jax.codec.info import file_info
    from dlf_jax.data.image_io import (
        check_extension,
        check_output,
        encode_image,
        read_file,
        write_file,
    )

    start = time.perf_counter()
    data = read_file(source)
    with errors_about(source):
        about = file_info(data)
    output = source.with_suffix(".decoded.png") if output is None else output
    check_extension(output.suffix)
    check_output(output, force)
    with status(f"decompressing {source}"):
        codec = load_codec_for(data) if model is None else load_codec(model)
        loaded = time.perf_counter()
        with errors_about(source):
            image = codec.decompress(data)
    decoded = time.perf_counter()
    write_file(output, encode_image(image, output.suffix), force)

    click.echo(
        f"{output}: {about.width}x{about.height} from {about.num_bytes:,} bytes, "
        f"{about.bpp:.4f} bpp (rate {about.rate}, {codec.model.name})"
    )
    click.echo(f"loading {loaded - start:.2f} s, decoding {decoded - loaded:.2f} s")
