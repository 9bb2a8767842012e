"""Draws photos beside their reconstructions at several rates, one photo per row."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from side_by_side import side_by_side

import dlf_jax
from dlf_jax.data.image_io import read_image
from dlf_jax.errors import UserError


def main() -> None:
    """Reads the command line and writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="+", help="one photo per row")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--rates", type=int, nargs="+", required=True)
    parser.add_argument("--model", default="dlf-nano", help="name or directory")
    parser.add_argument(
        "--width", type=int, default=1200, help="width of the sheet, pixels"
    )
    options = parser.parse_args()
    try:
        write_sheet(options)
    except UserError as error:
        parser.error(str(error))


def write_sheet(options: argparse.Namespace) -> None:
    """Codes the photos and writes the sheet."""
    rows = []
    for path in options.photos:
        photo = read_image(path)
        panels = [(Image.fromarray(photo), f"{path.name}: original")]
        for rate in options.rates:
            data = dlf_jax.compress(photo, rate=rate, model=options.model)
            recon = dlf_jax.decompress(data, model=options.model)
            bpp = 8 * len(data) / (photo.shape[0] * photo.shape[1])
            caption = f"rate {rate}: {len(data):,} bytes, {bpp:.4f} bpp"
            panels.append((Image.fromarray(recon), caption))
        row = side_by_side(panels)
        height = round(row.height * options.width / row.width)
        rows.append(np.asarray(row.resize((options.width, height))))
    Image.fromarray(np.concatenate(rows)).save(options.output, quality=90)
    print(f"{options.output}: {len(rows)} photos at rates {options.rates}")


if __name__ == "__main__":
    main()
