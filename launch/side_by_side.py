"""Draws an image beside its reconstruction."""

from pathlib import Path

import click
from PIL import Image, ImageDraw, ImageFont

from dlf_jax import interruption

_GAP = 12
_BAND = 34
_PATH = click.Path(path_type=Path)


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


@click.command()
@click.argument("original", type=_PATH)
@click.argument("compressed", type=_PATH)
@click.argument("decoded", type=_PATH)
@click.argument("output", type=_PATH)
def main(original: Path, compressed: Path, decoded: Path, output: Path) -> None:
    """Sets ORIGINAL beside DECODED, the image in the file COMPRESSED, as a PNG."""
    with Image.open(original) as before, Image.open(decoded) as after:
        size = compressed.stat().st_size
        bpp = 8 * size / (before.width * before.height)
        sheet = side_by_side(
            [
                (before, f"original: {original.stat().st_size:,} bytes"),
                (after, f"decoded from {size:,} bytes, {bpp:.4f} bpp"),
            ]
        )
    sheet.save(output)
    print(f"original | decoded -> {output}")


if __name__ == "__main__":
    interruption.run(main)
