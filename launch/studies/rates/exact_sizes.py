"""Files of random sizes: bytes that stay unused, and seconds.

  python launch/studies/rates/exact_sizes.py PHOTOS [--model dlf-nano] [--pairs 1000]

Each pair is a random photo and a random number of bytes, uniform in its logarithm
between the sizes of the photo at the lowest and at the highest rate.
"""

import time

import click
import numpy as np

import dlf_jax
from dlf_jax.codec.goal import Goal
from dlf_jax.compile_cache import enable_compile_cache
from dlf_jax.data.folders import photos_in
from dlf_jax.data.image_io import read_image


@click.command()
@click.argument("photos")
@click.option("--model", default="dlf-nano", show_default=True)
@click.option("--pairs", default=1000, show_default=True)
def main(photos: str, model: str, pairs: int) -> None:
    """Prints counts and means over the pairs."""
    enable_compile_cache()
    codec = dlf_jax.load(model)
    rng = np.random.default_rng(0)
    images = [read_image(path) for path in photos_in(photos)]
    ends = [
        [len(codec.compress(image, rate)) for rate in (0, codec.num_rates - 1)]
        for image in images
    ]
    unused, seconds, single = [], [], []
    for _ in range(pairs):
        index = rng.integers(len(images))
        low, high = np.log(ends[index])
        num_bytes = int(np.exp(rng.uniform(low, high)))
        start = time.perf_counter()
        found = codec.reach(images[index], Goal(target_bytes=num_bytes))
        searched = time.perf_counter()
        again = codec.compress(images[index], found.rate)
        single.append(time.perf_counter() - searched)
        seconds.append(searched - start)
        assert again == found.data
        unused.append((num_bytes - len(found.data)) / num_bytes)
    unused = 100 * np.array(unused)
    print(
        f"{pairs} pairs of {len(images)} photos: {(unused < 0).sum()} files too large"
    )
    print(
        f"unused: mean {unused.mean():.2f} %, median {np.median(unused):.2f} %, "
        f"95th percentile {np.percentile(unused, 95):.2f} %, most {unused.max():.2f} %"
    )
    print(
        f"seconds: median {np.median(seconds):.2f}, and {np.median(single):.2f} at the "
        "rate that was found"
    )


if __name__ == "__main__":
    main()
