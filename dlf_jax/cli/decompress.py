"""``dlf decompress``."""

import time

import click

from dlf_jax.cli.paths import TEXT
from dlf_jax.cli.session import (
    errors_about,
    limit_options,
    load_codec,
    load_codec_for,
    status,
    without_collection,
)
from dlf_jax.cli.streams import INPUT, OUTPUT, Input, Output
from dlf_jax.limits import Limits


@click.command()
@click.argument("source", metavar="IN", type=INPUT)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=OUTPUT,
    help="Image to write, in the format of its ending; - for stdout, as PNG like all "
    "pipes; by default IN with the ending .decoded.png.",
)
@click.option(
    "--model",
    metavar="NAME_OR_DIR",
    type=TEXT,
    help="Model that wrote IN; needed only for models not bundled with dlf.",
)
@click.option(
    "--best-effort",
    is_flag=True,
    help="Decode whatever is intact of a damaged IN.",
)
@click.option("--force", is_flag=True, help="Overwrite OUT.")
@limit_options
@without_collection
def decompress(
    source: Input,
    output: Output | None,
    model: str | None,
    best_effort: bool,
    force: bool,
    limits: Limits,
) -> None:
    """Decompresses the file IN to an image, - for stdin."""
    from dlf_jax.codec.container import DAMAGED, parse
    from dlf_jax.codec.info import file_info
    from dlf_jax.data.image_io import check_extension, encode_image

    start = time.perf_counter()
    data = source.read()
    with errors_about(source):
        file = parse(data, damaged=best_effort)
    about = file_info(file)
    output = output or source.output(".decoded.png")
    extension = output.extension or (".png" if output.is_stream else "")
    check_extension(extension)
    output.check(force)
    with status(f"decompressing {source}"):
        if model is None:
            codec = load_codec_for(file, limits)
        else:
            codec = load_codec(model, limits)
        loaded = time.perf_counter()
        with errors_about(source):
            if best_effort:
                image, share = codec.salvage(file)
            else:
                image, share = codec.reconstruct(file), 1.0
    decoded = time.perf_counter()
    output.write(encode_image(image, extension), force)

    if not file.intact:
        output.note(
            f"{DAMAGED}; {share:.0%} of its symbols were there, some may be wrong"
        )
    output.report(
        f"{output}: {about.width}x{about.height} from {about.num_bytes:,} bytes, "
        f"{about.bpp:.4f} bpp (rate {about.rate}, {codec.model.name})",
        f"loading {loaded - start:.2f} s, decoding {decoded - loaded:.2f} s",
    )
