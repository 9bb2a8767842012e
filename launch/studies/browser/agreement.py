"""Agreement of onnxruntime, Node, and Chromium without and with WebGPU, with Python.

  PYTHONPATH=. python launch/studies/browser/agreement.py PHOTO... [--rate 2]
      [--host NAME]

Each host encodes every photo, and Python counts the tokens and symbols that differ from
its own.  Each host decodes the files of Python.  Needs the extra onnx, onnxruntime, and
for the other hosts Node.js and Chromium, whose GPU is emulated and slow.
"""

import contextlib
import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from hosts import Chromium, Host, Node, browser, picture, pixels

from dlf_jax.browser.site import write_site
from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec.codec import Codec
from dlf_jax.data.image_io import read_image
from tests.browser.onnx_networks import OnnxNetworks

_HOSTS = ("onnxruntime", "node", "chromium", "webgpu")


class _OnnxRuntime:
    """Python's codec with its networks in onnxruntime."""

    def __init__(self, codec: Codec, site: Path):
        self._codec = Codec(codec.model)
        self._codec.network = OnnxNetworks(site / "model", codec.model.config)

    def encode(self, image: np.ndarray, rate: int) -> bytes:
        """The file of an image."""
        return self._codec.compress(image, rate=rate)

    def decode(self, data: bytes) -> np.ndarray:
        """The image of a file."""
        return self._codec.decompress(data)


class _Page:
    """The page's worker."""

    def __init__(self, host: Host, device: str = "wasm"):
        self._ask, self._device = host.ask, device
        self._ask("load", device=device)

    def encode(self, image: np.ndarray, rate: int) -> bytes:
        """The file of an image."""
        return self._result("encode", rate=rate, **pixels(image))["file"]

    def decode(self, data: bytes) -> np.ndarray:
        """The image of a file."""
        return picture(self._result("decode", file=data))

    def _result(self, task: str, **values: Any) -> dict[str, Any]:
        result = self._ask(task, **values).result
        assert result["device"] == self._device
        return result


@contextlib.contextmanager
def _opened(name: str, codec: Codec, site: Path) -> Iterator[_OnnxRuntime | _Page]:
    if name == "onnxruntime":
        yield _OnnxRuntime(codec, site)
    elif name == "node":
        with Node(site) as node:
            yield _Page(node)
    else:
        gpu = name == "webgpu"
        with browser(site, threads=False, gpu=gpu) as (page, url):
            page.open(f"{url}style.css")  # a light page of the same site
            page.wait("location.href !== 'about:blank'")
            yield _Page(Chromium(page), "webgpu" if gpu else "wasm")


@dataclasses.dataclass
class _Counts:
    files: int = 0
    identical: int = 0
    tokens: int = 0
    different_tokens: int = 0
    symbols: int = 0
    different_symbols: int = 0
    largest: int = 0
    samples: int = 0
    different_samples: int = 0

    def add(
        self, codec: Codec, host: _OnnxRuntime | _Page, image: np.ndarray, rate: int
    ):
        """Compares a host with Python on an image."""
        expected, code = codec.encode(image, rate)
        data = host.encode(image, rate)
        _, found = codec.decode(data)
        self.files += 1
        self.identical += data == expected
        self.tokens += code.tokens.size
        self.different_tokens += int((found.tokens != code.tokens).sum())
        for mine, others in zip(code.symbols, found.symbols, strict=True):
            self.symbols += np.size(mine)
            self.different_symbols += int((np.asarray(mine) != others).sum())
        wanted = codec.decompress(expected).astype(int)
        difference = np.abs(host.decode(expected) - wanted)
        self.largest = max(self.largest, int(difference.max()))
        self.samples += difference.size
        self.different_samples += int((difference > 0).sum())


@click.command()
@click.argument("photos", nargs=-1, required=True, type=Path)
@click.option("--rate", "rates", multiple=True, type=int, default=[2])
@click.option(
    "--host", "names", multiple=True, type=click.Choice(_HOSTS), default=_HOSTS
)
def main(photos: tuple[Path, ...], rates: tuple[int, ...], names: tuple[str, ...]):
    """Prints a row for each host."""
    codec = Codec(load_model("dlf-nano"))
    print("|  | files | equal | tokens | symbols | largest difference | samples |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        write_site("dlf-nano", Path(folder))
        for name in names:
            counts = _Counts()
            with _opened(name, codec, Path(folder)) as host:
                for photo in photos:
                    for rate in rates:
                        counts.add(codec, host, read_image(photo), rate)
                    print(photo, counts, file=sys.stderr, flush=True)
            cells = [
                name,
                counts.files,
                counts.identical,
                f"{counts.different_tokens} of {counts.tokens:,}",
                f"{counts.different_symbols} of {counts.symbols:,}",
                counts.largest,
                f"{counts.different_samples:,} of {counts.samples:,}",
            ]
            print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
