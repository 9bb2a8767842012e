"""Quality between the rate points, beside the line from one rate point to the next.

  python launch/studies/rates/between.py PHOTOS [--model dlf-nano]

Prints means over the photos.  The line has the quality of both rate points, over the
logarithm of the bytes.
"""

import click
import numpy as np

import dlf_jax
from dlf_jax.compile_cache import enable_compile_cache
from dlf_jax.data.folders import photos_in
from dlf_jax.data.image_io import read_image
from dlf_jax.metrics.table import METRICS, measure

_NAMES = ("psnr", "ms_ssim", "lpips_alex")
_SHARES = (0.25, 0.5, 0.75)


@click.command()
@click.argument("photos")
@click.option("--model", default="dlf-nano", show_default=True)
def main(photos: str, model: str) -> None:
    """Prints a row for each rate, and the differences from the line."""
    enable_compile_cache()
    codec = dlf_jax.load(model)
    images = [read_image(path) for path in photos_in(photos)]

    def row(rate):
        rows = []
        for image in images:
            data = codec.compress(image, rate)
            quality = measure(image, codec.decompress(data), _NAMES)
            rows.append([len(data), *quality.values()])
        return np.mean(rows, axis=0)

    print("| rate | bytes |", " | ".join(METRICS[name].title for name in _NAMES), "|")
    print("|---:|---:|" + "---:|" * len(_NAMES))
    low = row(0)
    for point in range(codec.num_rates):
        print(_line(point, low, low[1:]), flush=True)
        if point + 1 == codec.num_rates:
            break
        high = row(point + 1)
        for share in _SHARES:
            found = row(point + share)
            place = np.log(found[0] / low[0]) / np.log(high[0] / low[0])
            line = low + place * (high - low)
            print(_line(point + share, found, found[1:], line[1:]), flush=True)
        low = high


def _line(rate, found, quality, line=None) -> str:
    cells = [f"{rate:g}", f"{found[0]:.1f}"]
    for i, name in enumerate(_NAMES):
        digits = METRICS[name].digits
        cell = f"{quality[i]:.{digits}f}"
        if line is not None:
            cell += f" ({quality[i] - line[i]:+.{digits}f})"
        cells.append(cell)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
