"""A photo beside its DLF file and a VVC file of the same size.

python launch/same_size.py launch/assets/coffee.png --rate 1 -o same_size.jpg
"""

import functools
from collections.abc import Callable
from pathlib import Path

import click
from PIL import Image
from side_by_side import side_by_side

import dlf_jax
from dlf_jax import interruption
from dlf_jax.data.image_io import read_image
from dlf_jax.errors import UserError
from dlf_jax.evaluation.codecs import open_codec

_PATH = click.Path(path_type=Path)
_COARSEST, _FINEST = 63, 30  # quantisation parameters of VVC; finer ones take long


def nearest_size(encode: Callable[[int], bytes], target: int) -> tuple[int, bytes]:
    """Finds the quantisation parameter whose file is nearest to a size.

    Args:
      encode: file of a parameter; files shrink as the parameter rises.
      target: bytes.

    Returns:
      (parameter, file), of two equally near files the smaller one.
    """
    encode = functools.cache(encode)
    low, high = _FINEST, _COARSEST  # the first parameter with a file of at most target
    while low < high:
        middle = (low + high) // 2
        if len(encode(middle)) <= target:
            high = middle
        else:
            low = middle + 1
    candidates = range(low, max(low - 2, _FINEST - 1), -1)
    best = min(candidates, key=lambda qp: abs(len(encode(qp)) - target))
    return best, encode(best)


@click.command()
@click.argument("photo", type=_PATH)
@click.option("-o", "--output", metavar="SHEET", type=_PATH, required=True)
@click.option("--rate", metavar="K", type=int, required=True)
@click.option("--model", metavar="NAME_OR_DIR", default="dlf-nano", show_default=True)
def main(photo: Path, output: Path, rate: int, model: str) -> None:
    """Writes a sheet with PHOTO, its DLF file and a VVC file of the same size."""
    try:
        image, vvc = read_image(photo), open_codec("vvc")
        data = dlf_jax.compress(image, rate=rate, model=model)
        qp, other = nearest_size(lambda qp: vvc.compress(image, str(qp)), len(data))
        recons = dlf_jax.decompress(data, model=model), vvc.decompress(other)
    except UserError as error:
        raise click.UsageError(str(error)) from error
    raw = f"original: {image.nbytes:,} bytes uncompressed"
    captions = (raw, f"dlf: {len(data):,} bytes", f"VVC, QP {qp}: {len(other):,} bytes")
    pictures = map(Image.fromarray, (image, *recons))
    sheet = side_by_side(list(zip(pictures, captions, strict=True)))
    sheet.save(output, quality=85)
    print(f"{output}: {len(data)} and {len(other)} bytes")


if __name__ == "__main__":
    interruption.run(main)
