"""``dlf bulk`` on Dask: a scheduler and two workers, one of which dies."""

import contextlib
import json
import os
import signal
import time

import pytest

import dlf_jax
from dlf_jax.data.image_io import read_image
from tests.codec.tiny import random_image
from tests.pictures import write_images
from tests.processes import start_python

pytest.importorskip("apache_beam")
pytest.importorskip("distributed")

_PHOTOS = 40


@pytest.fixture
def cluster(tmp_path):
    """Address of a scheduler, and its two workers, in a folder of their own."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    found = folder / "scheduler.json"
    with contextlib.ExitStack() as processes:

        def start(program, *arguments):
            log = processes.enter_context((folder / f"{time.time()}.log").open("w"))
            process = start_python(
                *("-m", f"distributed.cli.{program}", *arguments),
                cwd=folder,
                stdout=log,
                stderr=log,
            )
            processes.callback(process.wait)
            processes.callback(process.kill)
            return process

        here = ("--host", "127.0.0.1", "--no-dashboard")
        scheduler = start(
            *("dask_scheduler", *here, "--port", "0", "--scheduler-file", str(found))
        )
        while not (found.exists() and found.read_text().endswith("}")):
            assert scheduler.poll() is None, [p.read_text() for p in folder.iterdir()]
            time.sleep(0.1)
        address = json.loads(found.read_text())["address"]
        worker = ("dask_worker", address, *here, "--no-nanny", "--nthreads", "1")
        yield address, [start(*worker) for _ in range(2)]


@pytest.mark.slow
def test_dask_loses_nothing_though_a_worker_dies(
    cluster, dlf_process, tiny_model, tmp_path
):
    address, workers = cluster
    photos, files = tmp_path / "photos", tmp_path / "files"
    write_images(photos, (random_image(16, 16, i) for i in range(_PHOTOS)))
    (photos / "bad.png").write_bytes(b"no image")
    dask = ("--runner", "DaskRunner", "--", f"--dask_client_address={address}")
    compress = (
        *("bulk", "compress", "--input", "photos/*.png", "--output", "files"),
        *("--model", os.path.relpath(tiny_model, tmp_path), "--rate", "1", *dask),
    )
    job = start_python("-m", "dlf_jax", *compress, cwd=tmp_path)
    while job.poll() is None and not list(tmp_path.glob("files/*.dlf")):
        time.sleep(0.01)
    workers[0].send_signal(signal.SIGKILL)
    out, err = job.communicate()
    assert job.returncode == 1, err
    assert out == (
        f"files: {_PHOTOS} done, 0 were there, 1 failed, see files/errors.jsonl\n"
    )
    assert err == ""
    failure = json.loads((files / "errors.jsonl").read_text())
    assert failure["file"] == f"{photos}/bad.png"
    codec = dlf_jax.load(str(tiny_model))
    for path in photos.glob("[0-9]*.png"):
        wanted = codec.compress(read_image(path), rate=1)
        assert (files / f"{path.name}.dlf").read_bytes() == wanted
    assert len(list(files.iterdir())) == _PHOTOS + 2  # and job.txt, errors.jsonl

    (photos / "bad.png").unlink()
    (files / "7.png.dlf").unlink()
    again = dlf_process(*compress, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout == f"files: 1 done, {_PHOTOS - 1} were there, 0 failed\n"
    assert (files / "errors.jsonl").read_text() == ""

    ran = dlf_process(
        *("bulk", "evaluate", "--input", "photos/*.png", "--output", "results"),
        *("--codecs", "jpeg@5", "--metrics", "psnr", *dask),
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"results: {_PHOTOS} done, 0 were there, 0 failed\n")
    mean = json.loads((tmp_path / "results" / "means.jsonl").read_text())
    assert mean["images"] == _PHOTOS
    table = (tmp_path / "results" / "results.csv").read_text().splitlines()
    assert len(table) == 1 + _PHOTOS
