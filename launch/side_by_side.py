"""Draws an image beside its reconstruction."""

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from dlf_jax import interruption

_GAP = 12
_BAND = 34


def side_by_side(panels: list[tuple[Image.Image, str]]) -> Image.Image:
    """Draws images side by side, each above its caption.

    Args:
        panels: pairs of image and caption.

    Returns:
        RGB image on white, as high as the highest panel with its caption.
    """
    width = sum(image.width for image, _ in panels) + _GAP * (len(panels) + 1)
    height = max(image.height for image, _ in panels) + _GAP + _BAND
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=16)
    left = _GAP
    for image, caption in panels:
        sheet.paste(image.convert("RGB"), (left, _GAP))
        draw.text((left, _GAP + image.height + 7), caption, "black", font)
        left += image.width + _GAP
    return sheet


def main() -> None:
    """Reads the command line and writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("original", type=Path, help="original image")
    parser.add_argument("compressed", type=Path, help="compressed file")
    parser.add_argument("decoded", type=Path, help="decoded image")
    parser.add_argument("output", type=Path, help="PNG to write")
    paths = parser.parse_args()
    with Image.open(paths.original) as original, Image.open(paths.decoded) as decoded:
        size = paths.compressed.stat().st_size
        bpp = 8 * size / (original.width * original.height)
        sheet = side_by_side(
            [
                (original, f"original: {paths.original.stat().st_size:,} bytes"),
                (decoded, f"decoded from {size:,} bytes, {bpp:.4f} bpp"),
            ]
        )
    sheet.save(paths.output)
    print(f"original | decoded -> {paths.output}")


if __name__ == "__main__":
    interruption.run(main)
