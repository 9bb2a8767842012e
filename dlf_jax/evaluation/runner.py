"""Every image through every codec: coding in processes, metrics in this one."""

import concurrent.futures.process
import dataclasses
import functools
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dlf_jax import interruption
from dlf_jax.data.image_io import read_image
from dlf_jax.errors import UserError
from dlf_jax.evaluation.cache import Cache, Result, key
from dlf_jax.evaluation.codecs import CodecSpec, open_codec
from dlf_jax.metrics.rate import bits_per_pixel
from dlf_jax.metrics.table import measure
from dlf_jax.typing import UInt8


@dataclasses.dataclass(frozen=True)
class Row:
    """A result and what it is of.

    Attributes:
      path: of the image.
      codec, setting: as in `CodecSpec`.
      height, width: of the image.
      result: size, times and metrics.
    """

    path: Path
    codec: str
    setting: str
    height: int
    width: int
    result: Result

    def record(self, metrics: Sequence[str]) -> dict[str, Any]:
        """The line of a table but for the image: codec, setting, sizes, metrics."""
        size = len(self.result.data)
        return {
            "codec": self.codec,
            "setting": self.setting,
            "bytes": size,
            "bpp": bits_per_pixel(size, self.height, self.width),
            **{name: self.result.values[name] for name in metrics},
            "encode_s": self.result.encode_s,
            "decode_s": self.result.decode_s,
        }


@dataclasses.dataclass(frozen=True)
class _Job:
    path: Path
    codec: str
    setting: str
    key: str


def evaluate(
    paths: Sequence[Path],
    specs: Sequence[CodecSpec],
    metrics: Sequence[str],
    *,
    cache: Cache | None = None,
    processes: int = 1,
) -> list[Row]:
    """Compresses, decompresses and measures; what the cache holds is not done again.

    Args:
      paths: image files.
      specs: codecs and settings.
      metrics: names in `dlf_jax.metrics.table.METRICS`.
      cache: where results are looked up, and kept as soon as they are there.
      processes: that code, beside this one that measures; with 1, everything happens
        in this one.

    Returns:
      One row for each image, codec and setting, in this order.

    Raises:
      UserError: an image cannot be read, or a codec fails.
    """
    jobs, known = [], {}
    for path in paths:
        image = read_image(path)
        for spec in specs:
            for setting in spec.settings:
                name = key(image, spec.name, setting, spec.version)
                found = cache.get(name) if cache else None
                job = _Job(path, spec.name, setting, name)
                jobs.append((job, image.shape[:2]))
                if found:
                    known[job] = found
    todo = [
        (job, known.get(job))
        for job, _ in jobs
        if job not in known or not set(metrics) <= set(known[job].values)
    ]
    bar = tqdm(
        total=len(jobs), initial=len(jobs) - len(todo), unit="file", disable=None
    )
    for job, result, recon in _code(todo, processes):
        missing = [name for name in metrics if name not in result.values]
        result.values |= measure(_image(job.path), recon, missing)
        if cache:
            cache.put(job.key, result)
        known[job] = result
        bar.update()
    bar.close()
    return [
        Row(job.path, job.codec, job.setting, *size, known[job]) for job, size in jobs
    ]


def _code(
    todo: list[tuple[_Job, Result | None]], processes: int
) -> Iterator[tuple[_Job, Result, np.ndarray]]:
    """Results and pictures, in any order."""
    if processes == 1 or len(todo) < 2:
        for job, known in todo:
            yield job, *_run(job, known)
        return
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(
        processes, context, initializer=_end_with_parent
    )
    try:
        # A few at a time, so that finished pictures do not fill the memory.
        waiting, pending = iter(todo), {}
        while True:
            while len(pending) < 2 * processes and (one := next(waiting, None)):
                submit = functools.partial(pool.submit, _run, *one)
                pending[interruption.spare_children(submit)] = one[0]
            if not pending:
                return
            done, _ = concurrent.futures.wait(
                pending, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                yield pending.pop(future), *future.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise UserError(
            "a process that coded images died, of too little memory perhaps: run the "
            "command again with --processes 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Lets this process end with the one that started it, and not before."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    interruption.become_child()
    threading.Thread(target=watch, daemon=True).start()


def _run(job: _Job, known: Result | None) -> tuple[Result, np.ndarray]:
    """Codes one image there and back, or only back where the file is known."""
    image = _image(job.path)
    if known:
        return known, open_codec(job.codec).decompress(known.data)
    try:
        return code(image, job.codec, job.setting)
    except UserError as error:
        raise UserError(f"{job.path}: {error}") from error


def code(
    image: UInt8[np.ndarray, "H W 3"], codec: str, setting: str
) -> tuple[Result, UInt8[np.ndarray, "H W 3"]]:
    """An image to a file and back: the file and the times, without metrics; a picture.

    Raises:
      UserError: the codec fails.
    """
    opened = open_codec(codec)
    start = time.perf_counter()
    data = opened.compress(image, setting)
    middle = time.perf_counter()
    recon = opened.decompress(data)
    end = time.perf_counter()
    if recon.shape != image.shape:
        raise UserError(f"{codec} made {_size(recon)} pixels of {_size(image)}")
    return Result(data, middle - start, end - middle), recon


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"


@functools.lru_cache(maxsize=4)
def _image(path: Path) -> np.ndarray:
    return read_image(path)
