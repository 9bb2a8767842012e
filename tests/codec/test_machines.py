"""Files written under one setting and read under every other, in real processes."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec.codec import Codec
from tests.codec.tiny import random_image
from tests.processes import start_python

_BATCH, _NETWORK = "DLF_TEST_BATCH", "DLF_TEST_NETWORK"
SETTINGS = {
    "plain": {},
    "one thread, highest precision": {
        "OPENBLAS_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    },
    "x64, five at once": {"JAX_ENABLE_X64": "1", _BATCH: "5"},
    "bfloat16": {
        "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
        _NETWORK: "bfloat16",
    },
    "old processor": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
    },
    "fast maths": {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"},
    # Where launch/test.sh made it: the environment of requirements.txt.
    "beside TensorFlow": {},
}
INTERPRETERS = {"beside TensorFlow": os.environ.get("DLF_OTHER_PYTHON")}
SIZES = (1, 1), (10, 15), (33, 40)


def load(model: Path) -> Codec:
    """The codec, its network rounded where the setting says so."""
    loaded = load_model(model)
    if dtype := os.environ.get(_NETWORK):
        params = jax.tree.map(lambda x: jnp.asarray(x, dtype), dict(loaded.params))
        loaded = dataclasses.replace(loaded, params=params)
    return Codec(loaded)


def encode(codec: Codec, folder: Path) -> None:
    """Writes a file for every image and rate, and what it stands for."""
    for i, size in enumerate(SIZES):
        for rate in range(codec.num_rates):
            image = random_image(*size)
            data, code = codec.encode(image, rate)
            batch = [image] * int(os.environ.get(_BATCH, 1))
            assert codec.compress(batch, rate) == [data] * len(batch)
            (folder / f"{i}-{rate}.dlf").write_bytes(data)
            np.savez(folder / f"{i}-{rate}.npz", **vars(code))


def decode(codec: Codec, folder: Path) -> list[int]:
    """Largest difference of the pixels to those of the first reader of each file."""
    differences = []
    for file in sorted(folder.glob("*/*.dlf")):
        data = file.read_bytes()
        _, code = codec.decode(data)
        with np.load(file.with_suffix(".npz")) as written:
            for name, found in vars(code).items():
                np.testing.assert_array_equal(found, written[name])
        image, *others = codec.decompress([data] * int(os.environ.get(_BATCH, 1)))
        for other in others:
            np.testing.assert_array_equal(other, image)
        pixels = file.with_suffix(".npy")
        if not pixels.exists():
            np.save(pixels, image)
        difference = image.astype(int) - np.load(pixels)
        differences.append(int(np.abs(difference).max()))
    return differences


def start(setting: str, model: Path, folder: Path) -> subprocess.Popen:
    """A process that writes its files, says so, and reads all files when it is told."""
    log = folder / f"{setting}.txt"
    with log.open("w") as errors:
        process = start_python(
            *("-m", "tests.codec.test_machines", setting, model, folder),
            python=INTERPRETERS.get(setting, sys.executable),
            # Compiled as for users, not as for other tests.
            env={
                "JAX_DISABLE_MOST_OPTIMIZATIONS": "0",
                "XLA_FLAGS": "",
                **SETTINGS[setting],
            },
            stdin=subprocess.PIPE,
            stderr=errors,
        )
    said = process.stdout.readline()
    assert said == "written\n", log.read_text()
    return process


@pytest.mark.slow
def test_every_setting_reads_the_files_of_every_other(tiny_model, tmp_path):
    settings = [name for name in SETTINGS if INTERPRETERS.get(name, sys.executable)]
    differences = {}
    with contextlib.ExitStack() as processes:
        started = [
            processes.enter_context(start(setting, tiny_model, tmp_path))
            for setting in settings
        ]
        for setting, process in zip(settings, started, strict=True):
            said, _ = process.communicate("read\n")
            assert process.returncode == 0, (tmp_path / f"{setting}.txt").read_text()
            differences[setting] = json.loads(said)
    expected = len(settings) * len(SIZES) * 2
    assert all(len(found) == expected for found in differences.values())
    # The networks compute in float32 everywhere but in "bfloat16".
    exact = [found for name, found in differences.items() if name != "bfloat16"]
    assert np.max(exact) <= 1
    print({name: max(found) for name, found in differences.items()})


def main(setting: str, model: str, folder: str) -> None:
    """Result of `start`."""
    codec, own = load(Path(model)), Path(folder) / setting
    own.mkdir()
    encode(codec, own)
    print("written", flush=True)
    sys.stdin.readline()
    print(json.dumps(decode(codec, Path(folder))))


if __name__ == "__main__":
    main(*sys.argv[1:])
