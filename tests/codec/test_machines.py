"""Files written under one setting and read under every other, in real processes."""

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

_BATCH, _NETWORK = "DLF_TEST_BATCH", "DLF_TEST_NETWORK"
SETTINGS = {
    "plain": {},
    "one thread": {
        "OPENBLAS_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    },
    "x64": {"JAX_ENABLE_X64": "1"},
    "bfloat16": {
        "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
        _NETWORK: "bfloat16",
    },
    "highest": {"JAX_DEFAULT_MATMUL_PRECISION": "highest"},
    "old processor": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
    },
    "fast maths": {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"},
    "five at once": {_BATCH: "5"},
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


def run(action: str, setting: str, model: Path, folder: Path) -> str:
    python = INTERPRETERS.get(setting, sys.executable)
    done = subprocess.run(
        [python, "-m", "tests.codec.test_machines", action, model, folder],
        env={**os.environ, **SETTINGS[setting]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{action} with {setting}: {done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_every_setting_reads_the_files_of_every_other(tiny_model, tmp_path):
    settings = [name for name in SETTINGS if INTERPRETERS.get(name, sys.executable)]
    for setting in settings:
        (tmp_path / setting).mkdir()
        run("encode", setting, tiny_model, tmp_path / setting)
    differences = {
        setting: json.loads(run("decode", setting, tiny_model, tmp_path))
        for setting in settings
    }
    expected = len(settings) * len(SIZES) * 2
    assert all(len(found) == expected for found in differences.values())
    # The networks compute in float32 everywhere but in "bfloat16".
    exact = [found for name, found in differences.items() if name != "bfloat16"]
    assert np.max(exact) <= 1
    print({name: max(found) for name, found in differences.items()})


if __name__ == "__main__":
    action, model, folder = sys.argv[1:]
    found = {"encode": encode, "decode": decode}[action](
        load(Path(model)), Path(folder)
    )
    print(json.dumps(found))
