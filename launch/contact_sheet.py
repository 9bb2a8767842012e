"""A sheet of photos beside their reconstructions at several rates, one photo per row.

python launch/contact_sheet.py PHOTO... --rates 0,3 -o SHEET.jpg
"""

from pathlib import Path

import click
import numpy as np
from PIL import Image
from side_by_side import side_by_side

import dlf_jax
from dlf_jax.data.image_io import read_image
from dlf_jax.errors import UserError

_PATH = click.Path(path_type=Path)


def _integers(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no list such as 0,3") from error


@click.command()
@click.argument("photos", metavar="PHOTO...", type=_PATH, nargs=-1, required=True)
@click.option("-o", "--output", metavar="SHEET", type=_PATH, required=True)
@click.option("--rates", metavar="K,...", callback=_integers, required=True)
@click.option("--model", metavar="NAME_OR_DIR", default="dlf-nano", show_default=True)
@click.option(
    "--width",
    metavar="PIXELS",
    type=click.IntRange(1),
    default=1200,
    show_default=True,
    help="Width of the sheet.",
)
def main(
    photos: tuple[Path, ...], output: Path, rates: list[int], model: str, width: int
) -> None:
    """Writes a sheet with one PHOTO a row, each beside its reconstructions."""
    try:
        rows = [_row(photo, rates, model, width) for photo in photos]
    except UserError as error:
        raise click.UsageError(str(error)) from error
    Image.fromarray(np.concatenate(rows)).save(output, quality=90)
    print(f"{output}: {len(rows)} photos at rates {rates}")


def _row(path: Path, rates: list[int], model: str, width: int) -> np.ndarray:
    """A photo and its reconstructions as an RGB image of some width."""
    photo = read_image(path)
    panels = [(Image.fromarray(photo), f"{path.name}: original")]
    for rate in rates:
        data = dlf_jax.compress(photo, rate=rate, model=model)
        recon = dlf_jax.decompress(data, model=model)
        bpp = 8 * len(data) / (photo.shape[0] * photo.shape[1])
        caption = f"rate {rate}: {len(data):,} bytes, {bpp:.4f} bpp"
        panels.append((Image.fromarray(recon), caption))
    row = side_by_side(panels)
    height = round(row.height * width / row.width)
    return np.asarray(row.resize((width, height)))


if __name__ == "__main__":
    main()
