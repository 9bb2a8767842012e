"""Ctrl-C at many moments of real commands, as a terminal sends it."""

import os
import re
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.codec.tiny import random_image
from tests.pictures import write_images
from tests.sessions import await_handler, end, running, start_session

_COMMANDS = {
    "compress": ["compress", "p/0.png", "-o", "x.dlf", "--model", "{model}"],
    "compress of many files": ["compress", *(f"p/{i}.png" for i in range(30))]
    + ["-o", "out", "--model", "{model}"],
    "evaluate": ["evaluate", "p", "--codecs", "dlf:{model},jpeg", "--metrics", "psnr"],
    "bulk": ["bulk", "compress", "--input", "p", "--output", "out"]
    + ["--model", "{model}", "--", "--direct_num_workers=2"]
    + ["--direct_running_mode=multi_processing"],
    "train": ["train", "--config={repository}/configs/dlf.py:preset=smoke,stage=vqgan"]
    + ["--config.data=p", "--workdir=run", "--config.loss.lpips_vgg=0.0"]
    + ["--config.loss.adversarial=0.0", "--config.log_every=1"]
    + ["--config.validation.photos=0"],
    "aot": ["aot", "--topology=v5e:2x2"]
    + ["--config={repository}/configs/dlf.py:preset=smoke,stage=vqgan"],
    "export": ["export", "p", "model"],
    "convert": ["convert", "{model}/model.safetensors", "-o", "new"],
}

# End with an error of their own: libtpu may be missing, the inputs are of other kinds.
_FAILING = ("aot", "convert", "export")


_MOMENTS = (0.0, 1.0, 4.0, 8.0)  # seconds


@pytest.fixture
def start(repository, tiny_model, tmp_path):
    """Starts a command in a session and a folder of its own, which has photos."""
    photos = write_images(tmp_path / "p", (random_image(64, 64, i) for i in range(30)))
    started = []

    def start(arguments, name="run"):
        folder = tmp_path / name
        shutil.copytree(photos, folder / "p")
        names = {"model": tiny_model, "repository": repository}
        arguments = [argument.format(**names) for argument in arguments]
        process = start_session("-m", "dlf_jax", *arguments, folder=folder)
        started.append(process)
        return process

    yield start
    for process in started:
        end(process)


@pytest.mark.slow
@pytest.mark.parametrize("command", _COMMANDS)
def test_one_line_and_nothing_left(start, tmp_path, command):
    if command == "bulk":
        pytest.importorskip("apache_beam")

    def interrupt(seconds):
        process = start(_COMMANDS[command], str(seconds))
        await_handler(process)
        time.sleep(seconds)
        if process.poll() is not None:  # it was faster
            return
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode in (130, 0, 2)  # or it ended at this moment
        if process.returncode == 130 and command not in _FAILING:
            assert err == "dlf: interrupted\n"
        assert re.fullmatch(r"(dlf: .+\n)?", err)
        assert running(process) == []

    # At once: most of the time they wait for their moment.
    with ThreadPoolExecutor(len(_MOMENTS)) as pool:
        list(pool.map(interrupt, _MOMENTS))
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "message"),
    [(signal.SIGINT, 130, "dlf: interrupted\n"), (signal.SIGTERM, 0, "")],
)
def test_training_saves_after_the_first_step(start, tmp_path, number, status, message):
    process = start(_COMMANDS["train"])
    for line in process.stdout:
        if line.startswith("step "):
            break
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (status, message)
    stopped = int(re.search(r"stopped at step (\d+)", out)[1])
    assert running(process) == []
    found = [path.name for path in (tmp_path / "run" / "run" / "checkpoints").iterdir()]
    assert found == [str(stopped)]
