"""Seconds and memory of photos of many sizes, beside an earlier checkout.

python launch/studies/many_sizes/many_sizes.py --before ../earlier
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import click

_REPOSITORY = Path(__file__).resolve().parents[3]

# Compresses and decompresses noise of the sizes in the argument, in one process.
_WORK = """
import json, resource, sys
import numpy as np
import dlf_jax

def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

period = np.random.default_rng(0).integers(0, 200, (64, 64, 3))
period = np.kron(period, np.ones((16, 16, 1))).astype(np.uint8)
for height, width in json.loads(sys.argv[1]):
    image = np.empty((height, width, 3), np.uint8)
    for row in range(0, height, 1024):
        for col in range(0, width, 1024):
            part = image[row : row + 1024, col : col + 1024]
            part[:] = period[: part.shape[0], : part.shape[1]]
    start = used()
    data = dlf_jax.compress(image)
    del image
    middle = used()
    dlf_jax.decompress(data)
    print(json.dumps([middle - start, used() - middle]))
"""


def work(checkout: Path, sizes: list[tuple[int, int]]) -> tuple[list[list[float]], int]:
    """CPU seconds of (compress, decompress) for each size, and peak bytes."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _WORK, json.dumps(sizes)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(checkout), "JAX_COMPILATION_CACHE_DIR": ""},
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("the work failed")
    return [json.loads(line) for line in output.splitlines()], 1024 * usage.ru_maxrss


def various(count: int) -> list[tuple[int, int]]:
    """Sizes around 0.4 megapixels, all different after padding where possible."""
    return [
        (384 + 128 * (i % 4), 512 + 128 * (i // 4 % 4) + i // 16) for i in range(count)
    ]


@click.command()
@click.option("--before", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--photos", type=click.IntRange(1), default=100, show_default=True)
@click.option("--megapixels", default="24", show_default=True)
def main(before: Path, photos: int, megapixels: str) -> None:
    """Prints a table of CPU seconds and of peak memory."""
    one, many = photos * [(512, 768)], various(photos)
    area = sum(h * w for h, w in many) / sum(h * w for h, w in one)
    print("| | before | now | ratio |\n|---|---:|---:|---:|")

    def row(name: str, old: float, new: float) -> None:
        print(f"| {name} | {old:.2f} | {new:.2f} | {new / old:.2f} |", flush=True)

    columns = []
    for checkout in (before, _REPOSITORY):
        same, _ = work(checkout, one)
        different, _ = work(checkout, many)
        warm = sorted(map(sum, same))[photos // 2]
        totals = [sum(map(sum, times)) for times in (same, different)]
        columns.append([*totals, totals[1] / totals[0] / area, warm])
    names = (
        f"{photos} photos of one size, s",
        f"{photos} photos of many sizes, s",
        "many sizes over one, per pixel",
        "768x512, warm, s",
    )
    for name, old, new in zip(names, *columns, strict=True):
        row(name, old, new)
    for text in megapixels.split(","):
        side = round((float(text) * 1e6 / 1.5) ** 0.5)
        sizes = [(512, 768), (side, round(1.5 * side))]
        found = [work(checkout, sizes) for checkout in (before, _REPOSITORY)]
        (old, old_peak), (new, new_peak) = found
        row(f"{text} MP, s", sum(old[1]), sum(new[1]))
        row(f"{text} MP, peak GB", old_peak / 1e9, new_peak / 1e9)


if __name__ == "__main__":
    main()
