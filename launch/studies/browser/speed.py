"""Time and memory of the codec in Python, Node and Chromium, on one machine.

  PYTHONPATH=. python launch/studies/browser/speed.py PHOTO [--rate 2] [--runs 5]

Prints medians over the runs, after a first one that is not counted.  The memory is that
of the largest process.  Needs the extra onnx, Node.js and Chromium.
"""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from hosts import Answer, Chromium, Host, Node, browser, pixels

import dlf_jax
from dlf_jax.browser.site import write_site
from dlf_jax.data.image_io import read_image

_READY = "document.querySelector('#status')?.textContent === 'Ready.'"


def _row(name: str, encode: list[Answer], decode: list[Answer], mib: float) -> None:
    cells = [name]
    for answers in (encode, decode):
        for times in zip(
            *((a.seconds, a.cpu_seconds) for a in answers[1:]), strict=True
        ):
            cells.append(f"{statistics.median(times):.2f}")
    print("|", " | ".join([*cells, f"{mib:.0f}"]), "|", flush=True)


def _timed(function: Callable[[], dict]) -> Answer:
    start, cpu = time.perf_counter(), time.process_time()
    result = function()
    return Answer(result, time.perf_counter() - start, time.process_time() - cpu)


def _python(image: np.ndarray, rate: int, runs: int) -> bytes:
    """Prints the row of Python and returns the compressed file."""
    codec = dlf_jax.load("dlf-nano")
    encode = [
        _timed(lambda: {"file": codec.compress(image, rate=rate)})
        for _ in range(runs + 1)
    ]
    data = encode[0].result["file"]
    decode = [
        _timed(lambda: {"image": codec.decompress(data)}) for _ in range(runs + 1)
    ]
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _row("Python", encode, decode, mib)
    return data


def _host(name: str, host: Host, image: np.ndarray, data: bytes, rate: int, runs: int):
    start = host.ask("load")
    values = pixels(image)
    encode = [host.ask("encode", rate=rate, **values) for _ in range(runs + 1)]
    decode = [host.ask("decode", file=data) for _ in range(runs + 1)]
    _row(name, encode, decode, host.peak_mib())
    return start


@click.command()
@click.argument("photo", type=Path)
@click.option("--rate", type=int, default=2)
@click.option("--runs", type=int, default=5)
def main(photo: Path, rate: int, runs: int) -> None:
    """Prints the rows of a table, then the times until the page is ready."""
    image = read_image(photo)
    print("|  | encode s | CPU-s | decode s | CPU-s | MiB |")
    print("|---|---:|---:|---:|---:|---:|")
    data = _python(image, rate, runs)
    notes = []
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        write_site("dlf-nano", site)
        with Node(site) as node:
            start = _host("Node, WASM, 1 thread", node, image, data, rate, runs)
            notes.append(
                f"Node: model loaded in {start.seconds:.2f} s, "
                f"{start.cpu_seconds:.2f} CPU-s"
            )
        for threads in (False, True):
            with browser(site, threads=threads) as (page, url):
                ready = []
                for _ in range(runs + 1):
                    page.open("about:blank")
                    page.wait("location.href === 'about:blank'")
                    clock = time.perf_counter()
                    page.open(url)
                    page.wait(_READY)
                    ready.append(time.perf_counter() - clock)
                count = page.value(
                    "crossOriginIsolated ? navigator.hardwareConcurrency : 1"
                )
                count = min(count, 4)
                name = f"Chromium, WASM, threads: {count}"
                notes.append(
                    f"{name}: page ready in {ready[0]:.2f} s, "
                    f"again in {statistics.median(ready[1:]):.2f} s"
                )
                _host(name, Chromium(page), image, data, rate, runs)
    print("", *notes, sep="\n")


if __name__ == "__main__":
    main()
