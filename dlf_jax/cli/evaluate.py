"""``dlf evaluate``."""

import csv
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from dlf_jax.cli.quality import Quality, measure, number
from dlf_jax.cli.session import load_codec
from dlf_jax.errors import UserError

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ppm"}
_COLUMNS = ("rate", "images", "bytes", "bpp", "psnr", "ms_ssim", "lpips")
_DIGITS = (0, 0, 1, 4, 2, 4, 4)


@click.command()
@click.argument(
    "paths",
    metavar="PATHS...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
)
@click.option("--rate", metavar="K|all", default="all", show_default=True)
@click.option("--model", metavar="NAME_OR_DIR", default="dlf-nano", show_default=True)
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
def evaluate(paths: tuple[Path, ...], rate: str, model: str, as_csv: bool) -> None:
    """Measures rate and quality on the images in PATHS, files or folders.

    Every image is compressed and decompressed; the numbers are means over images, bpp
    is that of whole files.
    """
    from tqdm import tqdm

    from dlf_jax.data.image_io import read_image

    files = _image_files(paths)
    codec = load_codec(model)
    rates = _rates(rate, codec.num_rates)
    results: dict[int, list[tuple[int, float, Quality]]] = {k: [] for k in rates}
    for file in tqdm(files, unit="image", disable=None, delay=1, leave=False):
        image = read_image(file)
        for k in rates:
            data = codec.compress(image, k)
            bpp = 8 * len(data) / (image.shape[0] * image.shape[1])
            quality = measure(image, codec.decompress(data))
            results[k].append((len(data), bpp, quality))
    _print([(k, *_means(results[k])) for k in rates], as_csv)


def _image_files(paths: Iterable[Path]) -> list[Path]:
    files = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES)
            if not inside:
                raise UserError(f"there are no images in {path}")
            files += inside
        else:
            files.append(path)
    return files


def _rates(rate: str, num_rates: int) -> list[int]:
    if rate == "all":
        return list(range(num_rates))
    if rate.isdecimal() and int(rate) < num_rates:
        return [int(rate)]
    raise UserError(f"rate {rate} is neither 'all' nor one of 0 to {num_rates - 1}")


def _means(results: list[tuple[int, float, Quality]]) -> list[float | int | None]:
    """Number of images, then the mean of each column where it is defined."""
    columns = zip(
        *[(n, bpp, q.psnr, q.ms_ssim, q.lpips) for n, bpp, q in results], strict=True
    )
    known = [[value for value in column if value is not None] for column in columns]
    means = [statistics.fmean(column) if column else None for column in known]
    return [len(results), *means]


def _print(rows: list[tuple], as_csv: bool) -> None:
    table = [[number(v, d) for v, d in zip(row, _DIGITS, strict=True)] for row in rows]
    if as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([_COLUMNS, *table])
        return
    for row in [_COLUMNS, *table]:
        click.echo("  ".join(f"{cell:>8}" for cell in row))
