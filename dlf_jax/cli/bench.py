"""``dlf bench``: time and memory of compress and decompress on this machine."""

import contextlib
import functools
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from dlf_jax import interruption
from dlf_jax.cli.environment import versions
from dlf_jax.cli.goals import rate_option
from dlf_jax.cli.paths import TEXT
from dlf_jax.cli.reports import as_line, json_option
from dlf_jax.cli.session import status
from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS

_STATES = ("cold", "cached", "warm")
_PLATFORM = "JAX_PLATFORMS"
_LARGEST = math.isqrt(DEFAULT_LIMITS.pixels)
_PERIOD = 1024  # pixels after which the noise repeats, for little memory


class _Sizes(click.ParamType):
    name = "sizes"

    def convert(self, value: Any, param: Any, ctx: Any) -> list[int]:
        """Reads integers above 0, separated by commas."""
        try:
            sizes = [int(part) for part in value.split(",")]
        except ValueError:
            sizes = [0]
        if min(sizes) < 1:
            self.fail(f"{value!r} is no list of pixels, such as 256,512.", param, ctx)
        if max(sizes) > _LARGEST:
            self.fail(f"{value!r} exceeds {_LARGEST} pixels a side.", param, ctx)
        return sizes


@click.command()
@click.option(
    "--sizes",
    metavar="PIXELS,...",
    type=_Sizes(),
    default="256,512,1024",
    show_default=True,
    help="Sides of the square images.",
)
@click.option(
    "--model",
    metavar="NAME_OR_DIR",
    type=TEXT,
    default="dlf-nano",
    show_default=True,
)
@rate_option
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Warm runs, of which the median is printed.",
)
@json_option
def bench(
    sizes: list[int], model: str, rate: float | None, runs: int, as_json: bool
) -> None:
    """Measures seconds and memory of coding on this machine.

    \b
    cold    a new process with an empty compile cache
    cached  a new process with a filled compile cache
    warm    another image of the same size in a running process, coding alone

    Images are synthetic. MiB are the peak of the process, on a GPU or TPU also that of
    the device. Without JAX_PLATFORMS, the default device and the CPU are measured.
    """
    if not as_json:
        for name, value in versions().items():
            click.echo(f"{name:9}  {value}")
        click.echo(_row("device", "image", "command", *_STATES))
    options = ["--model", model, *([] if rate is None else ["--rate", str(rate)])]
    for platform in _platforms():
        found = ""
        for size in sizes:
            for facts in _measure(size, options, runs, platform):
                found = facts["device"]
                if as_json:
                    click.echo(as_line(versions() | {"model": model} | facts))
                else:
                    click.echo(_table_row(facts))
        if found == "cpu":
            break


def _platforms() -> list[str | None]:
    """Platforms to measure: None is jax's choice."""
    return [None] if os.environ.get(_PLATFORM) else [None, "cpu"]


def _measure(
    size: int, options: list[str], runs: int, platform: str | None
) -> Iterator[dict[str, Any]]:
    """Yields the facts about both commands with images of one size."""
    from dlf_jax.data.image_io import encode_image

    with _temporary_folder() as folder:
        photo = encode_image(_photo(size), ".png")
        images = [folder / f"{number}.png" for number in range(runs + 1)]
        for image in images:
            image.write_bytes(photo)
        files = [folder / "files" / f"{image.stem}.dlf" for image in images]
        # The options of decompress have no rate.
        for command, inputs, output, more in (
            ("compress", images, folder / "files", options),
            ("decompress", files, folder / "decoded", options[:2]),
        ):
            arguments = [*more, "-o", f"{output}/"]
            environment = {"JAX_COMPILATION_CACHE_DIR": f"{folder}/{command}-cache"}
            if platform:
                environment[_PLATFORM] = platform
            about = f"measuring {command} of {size}x{size}"
            run = functools.partial(_run, command, arguments, environment)
            facts = {"command": command, "width": size, "height": size}
            for state in ("cold", "cached"):
                with status(f"{about}, {state}"):
                    seconds, (found,) = run(inputs[:1])
                facts |= {f"{state}_s": seconds, f"{state}_bytes": found["peak_bytes"]}
            with status(f"{about}, warm"):
                _, found = run(inputs)
            name = "encode_s" if command == "compress" else "decode_s"
            yield facts | {
                "warm_s": statistics.median(one[name] for one in found[1:]),
                "warm_bytes": found[-1]["peak_bytes"],
                "device_bytes": found[-1]["device_peak_bytes"],
                "device": found[-1]["device"],
                "rate": found[-1]["rate"],
            }


def _run(
    command: str, arguments: list[str], environment: dict[str, str], inputs: list[Path]
) -> tuple[float, list[dict[str, Any]]]:
    """Runs a command of this program in a process of its own.

    Returns:
      Seconds from start to end of the process, and the objects that it printed.

    Raises:
      UserError: the command fails.
    """
    words = [command, *map(str, inputs), *arguments, "--force", "--json", "--verbose"]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "dlf_jax", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    seconds = time.perf_counter() - start
    found = [json.loads(line) for line in done.stdout.splitlines()]
    errors = [one["error"] for one in found if "error" in one]
    if done.returncode and not errors:
        *_, last = ["", *done.stderr.splitlines()]
        errors = [last.removeprefix("dlf: ") or f"exit status {done.returncode}"]
    if errors:
        raise UserError(f"dlf {command} failed: {errors[0]}")
    return seconds, found


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dlf-bench-"))
    remove = functools.partial(shutil.rmtree, folder, ignore_errors=True)
    with interruption.cleaning(remove):
        yield folder


def _photo(side: int) -> "np.ndarray":
    """Noise with the spectrum of photos, uint8 (side, side, 3)."""
    import numpy as np

    rng = np.random.default_rng(0)
    period = min(side, _PERIOD)
    frequency = np.hypot(np.fft.fftfreq(period)[:, None], np.fft.rfftfreq(period))
    noise = np.fft.rfft2(rng.normal(size=(3, period, period)))
    smooth = np.fft.irfft2(noise / np.maximum(frequency, 1 / period), (period, period))
    grey = smooth.mean(axis=0) + 0.2 * smooth  # colours of a photo are correlated
    scaled = 128 + 50 * (grey - grey.mean()) / max(float(grey.std()), 1e-9)
    photo = np.moveaxis(scaled.clip(0, 255), 0, -1).astype(np.uint8)
    times = -(-side // period)
    return np.tile(photo, (times, times, 1))[:side, :side]


def _table_row(facts: dict[str, Any]) -> str:
    cells = []
    for state in _STATES:
        peak = facts[f"{state}_bytes"]
        memory = "" if peak is None else f"{peak / 2**20:7.0f} MiB"
        cells.append(f"{facts[f'{state}_s']:8.2f} s{memory:>11}")
    device = facts["device"]
    if facts["device_bytes"] is not None:
        device += f", {facts['device_bytes'] / 2**20:.0f} MiB"
    size = f"{facts['width']}x{facts['height']}"
    return _row(device, size, facts["command"], *cells)


def _row(device: str, size: str, command: str, *cells: str) -> str:
    return "  ".join(
        (f"{size:9}", f"{command:10}", *(f"{c:>21}" for c in cells), device)
    )
