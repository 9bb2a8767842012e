"""``dlf compress``."""

import dataclasses
import statistics
import time
from collections.abc import Sequence

import click

from dlf_jax.cli.batch import Result, run
from dlf_jax.cli.outputs import outputs_of
from dlf_jax.cli.paths import TEXT
from dlf_jax.cli.quality import mean, measure
from dlf_jax.cli.reports import Style, file_facts, style_options
from dlf_jax.cli.session import (
    limit_options,
    load_codec,
    rate_of,
    rate_option,
    without_collection,
)
from dlf_jax.cli.streams import INPUT, OUTPUT, Input, Output
from dlf_jax.entropy_coding.coders import CODERS, coder_id
from dlf_jax.limits import Limits


@click.command()
@click.argument("sources", metavar="IN...", type=INPUT, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=OUTPUT,
    help="File to write, - for stdout; by default IN with the ending .dlf. A folder, "
    "which is created, for several IN or with a slash at its end.",
)
@rate_option
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
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@limit_options
@style_options
@without_collection
def compress(
    sources: tuple[Input, ...], output: Output | None, style: Style, **options
) -> None:
    """Compresses images IN (PNG, JPEG, WebP, ...), - for stdin.

    Of several files, one that fails does not stop the others: the exit status is 1.
    """
    with outputs_of(sources, output, beside=".dlf", inside=".dlf") as jobs:
        run(jobs, _Compress(**options), style)


@dataclasses.dataclass(frozen=True)
class _Compress:
    """`Work` with the options of the command."""

    rate: int | None
    model: str
    coder: str
    metrics: bool
    force: bool
    limits: Limits
    command = "compress"
    coding = "encoding"

    def prepare(self) -> None:
        """Loads the model, and checks rate and coder."""
        rate_of(load_codec(self.model, self.limits), self.rate)
        CODERS[coder_id(self.coder)].load()

    def __call__(self, source: Input, output: Output) -> Result:
        """Compresses one image."""
        from dlf_jax.codec.container import parse
        from dlf_jax.codec.info import file_info
        from dlf_jax.data.image_io import decode_image

        content = source.read()
        output.check(self.force)
        image = decode_image(content, str(source), self.limits.pixels)
        codec = load_codec(self.model, self.limits)
        rate = rate_of(codec, self.rate)
        began = time.perf_counter()
        data = codec.compress(image, rate, coder=self.coder)
        seconds = time.perf_counter() - began
        quality = measure(image, codec.decompress(data)) if self.metrics else None
        output.write(data, self.force)

        about = file_info(parse(data))
        facts = file_facts(source, about, output) | {"model": codec.model.name}
        lines = [
            f"{output}: {about.num_bytes:,} bytes, {about.bpp:.4f} bpp "
            f"({about.width}x{about.height}, rate {rate}, {codec.model.name})"
        ]
        if quality is not None:
            facts |= dataclasses.asdict(quality)
            lines.append(str(quality))
        return Result(facts | {"encode_s": seconds}, lines, began, seconds, quality)

    def summary(self, results: Sequence[Result]) -> list[str]:
        """Returns size, rate and quality of all files."""
        if not results:
            return []
        bpp = statistics.fmean(result.facts["bpp"] for result in results)
        parts = [
            f"{sum(result.facts['bytes'] for result in results):,} bytes",
            f"mean {bpp:.4f} bpp",
        ]
        if self.metrics:
            parts.append(str(mean([result.quality for result in results])))
        return parts
