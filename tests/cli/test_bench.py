"""``dlf bench``: processes, caches and figures."""

import importlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

bench = importlib.import_module("dlf_jax.cli.bench")  # the package has the command

_KEYS = (
    *("dlf", "python", "jax", "jaxlib", "system", "processor"),
    *("model", "rate", "device", "command", "width", "height"),
    *("cold_s", "cached_s", "warm_s", "cold_bytes", "cached_bytes", "warm_bytes"),
    "device_bytes",
)


@pytest.fixture
def device() -> str:
    """The default device."""
    return "cpu"


@pytest.fixture
def runs(monkeypatch, device):
    """Commands that were called; they take no time, on the device ``device``."""
    monkeypatch.delenv("JAX_PLATFORMS")
    calls = []

    def run(command, arguments, environment, inputs):
        cache = Path(environment["JAX_COMPILATION_CACHE_DIR"])
        calls.append((command, len(inputs), cache.exists(), environment, arguments))
        cache.mkdir(exist_ok=True)
        if command == "compress":
            assert all(path.read_bytes() == inputs[0].read_bytes() for path in inputs)
        platform = environment.get("JAX_PLATFORMS", device)
        # The first image of a process takes longer.
        seconds = [9.0, *range(1, len(inputs))]
        key = {"compress": "encode_s", "decompress": "decode_s"}[command]
        return 7.0, [
            {"device": platform, "rate": 2, "peak_bytes": 2**20, key: one}
            | {"device_peak_bytes": None if platform == "cpu" else 2**21}
            for one in seconds
        ]

    monkeypatch.setattr(bench, "_run", run)
    return calls


def test_cold_cached_and_warm(dlf, runs):
    status, out, err = dlf("bench", "--sizes", "8,16", "--runs", 3, "--json")
    assert (status, err) == (0, "")
    found = [json.loads(line) for line in out.splitlines()]
    assert [(one["command"], one["width"]) for one in found] == [
        ("compress", 8),
        ("decompress", 8),
        ("compress", 16),
        ("decompress", 16),
    ]
    for one in found:
        assert one.keys() == set(_KEYS)
        assert (one["cold_s"], one["cached_s"], one["warm_s"]) == (7.0, 7.0, 2.0)
        assert (one["device"], one["device_bytes"]) == ("cpu", None)
    # One image with an empty cache, one with what that left, four in one process.
    assert [(count, full) for _, count, full, *_ in runs] == [
        (1, False),
        (1, True),
        (4, True),
    ] * 4
    folders = {Path(call[3]["JAX_COMPILATION_CACHE_DIR"]) for call in runs}
    assert len(folders) == 4 and not any(map(os.path.exists, folders))


@pytest.mark.parametrize("device", ["gpu, NVIDIA X"])
def test_the_cpu_is_measured_beside_an_accelerator(dlf, runs):
    status, out, _ = dlf("bench", "--sizes", "8")
    assert status == 0
    rows = out.splitlines()[-4:]
    assert [row.endswith("gpu, NVIDIA X, 2 MiB") for row in rows] == [1, 1, 0, 0]
    assert [row.endswith("  cpu") for row in rows] == [0, 0, 1, 1]
    assert all("7.00 s" in row and "1 MiB" in row and "8x8" in row for row in rows)


@pytest.mark.parametrize("device", ["gpu, NVIDIA X"])
def test_a_chosen_platform_is_the_only_one(dlf, runs, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    status, out, _ = dlf("bench", "--sizes", "8", "--json")
    assert status == 0 and len(out.splitlines()) == 2
    assert not any("JAX_PLATFORMS" in environment for *_, environment, _ in runs)


def test_options_reach_the_commands(dlf, runs):
    assert dlf("bench", "--sizes", "8", "--rate", 1, "--model", "m")[0] == 0
    for command, *_, arguments in runs:
        assert arguments[:2] == ["--model", "m"]
        assert ("--rate" in arguments) == (command == "compress")


@pytest.mark.parametrize("sizes", ["", "0", "8,x", "8,,16", "-1"])
def test_sizes_are_pixels(dlf, sizes):
    status, out, err = dlf("bench", "--sizes", sizes)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "is no list of pixels, such as 256,512" in err


def test_sizes_above_the_limit_of_compress_are_rejected(dlf):
    status, out, err = dlf("bench", "--sizes", "8,10001")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "exceeds 10000 pixels a side" in err


def test_large_images_repeat_a_smaller_one():
    image = bench._photo(1500)
    assert image.shape == (1500, 1500, 3)
    np.testing.assert_array_equal(image[1024:, 1024:], image[:476, :476])


def test_images_have_the_spectrum_of_photos():
    image = bench._photo(64)
    assert (image.shape, image.dtype) == ((64, 64, 3), np.uint8)
    np.testing.assert_array_equal(image, bench._photo(64))
    signal = image.astype(float)
    assert 20 < signal.std() < 80
    differences = np.diff(signal, axis=0).std()
    assert differences < signal.std()  # white noise: 1.4 times as much
    assert bench._photo(1).shape == (1, 1, 3)


def test_a_command_that_fails_is_named(dlf):
    status, _, err = dlf("bench", "--sizes", "8", "--model", "absent", "--json")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith("dlf: dlf compress failed: no model 'absent'")
    status, _, err = dlf("bench", "--sizes", "8", "--rate", 9, "--json")
    assert (status, err.count("\n")) == (2, 1)
    assert "there is no rate 9" in err


@pytest.mark.slow
def test_real_processes(dlf, tiny_model):
    arguments = ("--sizes", "16", "--runs", 1, "--model", tiny_model, "--json")
    status, out, err = dlf("bench", *arguments)
    assert (status, err) == (0, "")
    for line in out.splitlines():
        found = json.loads(line)
        assert found.keys() == set(_KEYS) and found["device"] == "cpu"
        assert 0 < found["warm_s"] < min(found["cold_s"], found["cached_s"])
        assert min(found[f"{state}_bytes"] for state in bench._STATES) > 2**24
