"""``dlf decompress``."""

import dataclasses
import time
from collections.abc import Sequence

import click

from dlf_jax.cli.batch import Result, run
from dlf_jax.cli.outputs import outputs_of
from dlf_jax.cli.paths import TEXT
from dlf_jax.cli.raw import Raw, raw_options
from dlf_jax.cli.reports import Style, file_facts, style_options
from dlf_jax.cli.session import (
    errors_about,
    limit_options,
    load_codec,
    load_codec_for,
    without_collection,
)
from dlf_jax.cli.streams import INPUT, OUTPUT, Input, Output
from dlf_jax.limits import Limits


@click.command()
@click.argument("sources", metavar="IN...", type=INPUT, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=OUTPUT,
    help="Image to write, in the format of its ending; - for stdout, as PNG like all "
    "pipes; by default IN with the ending .decoded.png. A folder, which is created and "
    "gets PNG files, for several IN or with a slash at its end.",
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
@raw_options
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@limit_options
@style_options
@without_collection
def decompress(
    sources: tuple[Input, ...], output: Output | None, style: Style, **options
) -> None:
    """Decompresses files IN to images, - for stdin.

    Of several files, one that fails does not stop the others: the exit status is 1.
    """
    with outputs_of(sources, output, beside=".decoded.png", inside=".png") as jobs:
        run(jobs, _Decompress(**options), style)


@dataclasses.dataclass(frozen=True)
class _Decompress:
    """`Work` with the options of the command."""

    model: str | None
    raw: Raw | None
    best_effort: bool
    force: bool
    limits: Limits
    command = "decompress"
    coding = "decoding"

    def prepare(self) -> None:
        """Loads the model, if one is named."""
        if self.model is not None:
            load_codec(self.model, self.limits)

    def __call__(self, source: Input, output: Output) -> Result:
        """Decompresses one file."""
        from dlf_jax.codec.container import DAMAGED, parse
        from dlf_jax.codec.info import file_info
        from dlf_jax.data.image_io import check_extension, encode_image

        data = source.read()
        if self.raw is None:
            with errors_about(source):
                file = parse(data, damaged=self.best_effort)
        extension = output.extension or (".png" if output.is_stream else "")
        check_extension(extension)
        output.check(self.force)
        if self.model is None:
            codec = load_codec_for(file, self.limits)
        else:
            codec = load_codec(self.model, self.limits)
        if self.raw is not None:
            file = codec.raw_file(data, **vars(self.raw))
        about = file_info(file)
        began = time.perf_counter()
        with errors_about(source):
            if self.best_effort:
                image, share = codec.salvage(file)
            else:
                image, share = codec.reconstruct(file), 1.0
        seconds = time.perf_counter() - began
        output.write(encode_image(image, extension), self.force)

        facts = file_facts(source, about, output) | {"model": codec.model.name}
        if self.best_effort:
            facts |= {"intact": file.intact, "decoded": share}
        warning = ""
        if not file.intact:
            warning = (
                f"{DAMAGED}; {share:.0%} of its symbols were there, some may be wrong"
            )
        lines = [
            f"{output}: {about.width}x{about.height} from {about.num_bytes:,} bytes, "
            f"{about.bpp:.4f} bpp (rate {about.rate}, {codec.model.name})"
        ]
        return Result(
            facts | {"decode_s": seconds}, lines, began, seconds, warning=warning
        )

    def summary(self, results: Sequence[Result]) -> list[str]:
        """Returns nothing: the number of files and the time suffice."""
        return []
