"""Runs every codec on every image; worker processes code, this one measures."""

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
class Measurement:
    """Result of one image at one setting of a codec.

    Attributes:
      path: the image file.
      codec, setting: see `CodecSpec`.
      height, width: image size, in pixels.
      result: compressed file, times and metrics.
    """

    path: Path
    codec: str
    setting: str
    height: int
    width: int
    result: Result

    def record(self, metrics: Sequence[str]) -> dict[str, Any]:
        """Table row without the image name: codec, setting, sizes, metrics, times."""
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
    bar: bool = True,
) -> list[Measurement]:
    """Compresses, decompresses and measures, except what the cache holds.

    Args:
      paths: image files.
      specs: codecs and settings.
      metrics: names in `dlf_jax.metrics.table.METRICS`.
      cache: looked up before, and filled after every file.
      processes: number of worker processes; 1 codes in this process.
      bar: show the progress on a terminal.

    Returns:
      One measurement for each image, codec and setting, in this order.

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
    progress = tqdm(
        total=len(jobs),
        initial=len(jobs) - len(todo),
        unit="file",
        disable=None if bar else True,
    )
    for job, result, recon in _code(todo, processes):
        missing = [name for name in metrics if name not in result.values]
        result.values |= measure(_image(job.path), recon, missing)
        if cache:
            cache.put(job.key, result)
        known[job] = result
        progress.update()
    progress.close()
    return [
        Measurement(job.path, job.codec, job.setting, *size, known[job])
        for job, size in jobs
    ]


def _code(
    todo: list[tuple[_Job, Result | None]], processes: int
) -> Iterator[tuple[_Job, Result, np.ndarray]]:
    """Yields jobs, results and reconstructions, in any order."""
    if processes == 1 or len(todo) < 2:
        for job, known in todo:
            yield job, *_run(job, known)
        return
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(
        processes, context, initializer=_end_with_parent
    )
    try:
        # Few at a time: finished reconstructions would fill the memory.
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
            "a worker process died, perhaps out of memory: run the command again with "
            "--processes 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Ties the life of a worker process to its parent."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    interruption.become_child()
    threading.Thread(target=watch, daemon=True).start()


def _run(job: _Job, known: Result | None) -> tuple[Result, np.ndarray]:
    """Encodes and decodes an image; only decodes if the file is cached."""
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
    """Encodes and decodes an image.

    Returns:
      The result, without metrics, and the reconstruction.

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
        raise UserError(
            f"{codec} decoded {_size(recon)} pixels instead of {_size(image)}"
        )
    return Result(data, middle - start, end - middle), recon


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"


@functools.lru_cache(maxsize=4)
def _image(path: Path) -> np.ndarray:
    return read_image(path)
