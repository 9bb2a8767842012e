"""``dlf compress``."""

import dataclasses
import statistics
import time
from collections.abc import Sequence

import click

from dlf_jax.cli.batch import Result, run
from dlf_jax.cli.goals import goal_options
from dlf_jax.cli.outputs import outputs_of
from dlf_jax.cli.paths import TEXT
from dlf_jax.cli.quality import mean, measure
from dlf_jax.cli.reports import Style, file_facts, style_options
from dlf_jax.cli.session import limit_options, load_codec, without_collection
from dlf_jax.cli.streams import INPUT, OUTPUT, Input, Output
from dlf_jax.codec.goal import Goal
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
@goal_options
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
@click.option(
    "--raw",
    is_flag=True,
    help="Leave out header and checksum, for channels that know size, rate and model "
    "and find errors; the ending is .raw.",
)
@click.option("--metrics", is_flag=True, help="Also decompress, and print the quality.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@limit_options
@style_options
@without_collection
def compress(
    sources: tuple[Input, ...],
    output: Output | None,
    raw: bool,
    style: Style,
    **options,
) -> None:
    """Compresses images IN (PNG, JPEG, WebP, ...), - for stdin.

    Of several files, one that fails does not stop the others: the exit status is 1.
    """
    ending = ".raw" if raw else ".dlf"
    with outputs_of(sources, output, beside=ending, inside=ending) as jobs:
        run(jobs, _Compress(raw=raw, **options), style)


@dataclasses.dataclass(frozen=True)
class _Compress:
    """`Work` with the options of the command."""

    goal: Goal
    model: str
    coder: str
    raw: bool
    metrics: bool
    force: bool
    limits: Limits
    command = "compress"
    coding = "encoding"

    def prepare(self) -> None:
        """Loads the model, and checks rate and coder."""
        load_codec(self.model, self.limits).rate_of(self.goal)
        CODERS[coder_id(self.coder)].load()

    def __call__(self, source: Input, output: Output) -> Result:
        """Compresses one image."""
        from dlf_jax.codec.container import pack
        from dlf_jax.codec.info import file_info
        from dlf_jax.data.image_io import decode_image

        content = source.read()
        output.check(self.force)
        image = decode_image(content, str(source), self.limits.pixels)
        codec = load_codec(self.model, self.limits)
        began = time.perf_counter()
        encoded = codec.reach(image, self.goal, self.coder, self.raw)
        seconds = time.perf_counter() - began
        quality = measure(image, encoded.picture()) if self.metrics else None
        output.write(encoded.data, self.force)

        about = file_info(encoded.file)
        facts = file_facts(source, about, output) | {"model": codec.model.name}
        lines = [
            f"{output}: {about.num_bytes:,} bytes, {about.bpp:.4f} bpp "
            f"({about.width}x{about.height}, rate {about.rate}, {codec.model.name})"
        ]
        if self.raw:
            saved = len(pack(encoded.file.header, b""))
            lines.append(f"{saved} bytes of header and checksum left out")
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
