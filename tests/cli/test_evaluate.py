"""``dlf evaluate``: means over images of what single runs give."""

import csv
import importlib
import io

import numpy as np
import pytest
from PIL import Image

import dlf_jax
from dlf_jax.cli.quality import Quality
from dlf_jax.metrics.psnr import psnr
from tests.codec.tiny import random_image

command = importlib.import_module("dlf_jax.cli.evaluate")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(2):
        image = Image.fromarray(random_image(10, 15, seed))
        image.save(folder / f"{seed}.png")
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture(autouse=True)
def quick_metrics(monkeypatch):
    def measure(image, recon):
        return Quality(psnr(image, recon), None, float(image.mean()))

    monkeypatch.setattr(command, "measure", measure)


def test_means_for_every_rate(dlf, photos, tiny_model):
    status, out, err = dlf("evaluate", photos, "--model", tiny_model, "--csv")
    assert (status, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["rate"] for row in rows] == ["0", "1"]
    images = [random_image(10, 15, seed) for seed in range(2)]
    for rate, row in enumerate(rows):
        files = dlf_jax.compress(images, rate, tiny_model)
        recons = dlf_jax.decompress(files, tiny_model)
        sizes = [len(data) for data in files]
        quality = np.mean([psnr(a, b) for a, b in zip(images, recons, strict=True)])
        assert row["images"] == "2"
        assert float(row["bytes"]) == np.mean(sizes)
        assert float(row["bpp"]) == pytest.approx(8 * np.mean(sizes) / 150, abs=1e-4)
        assert float(row["psnr"]) == pytest.approx(quality, abs=0.01)
        assert row["ms_ssim"] == "n/a"
        assert float(row["lpips"]) == pytest.approx(np.mean(images), abs=1e-3)


def test_one_rate_of_single_files_as_a_table(dlf, photos, tiny_model):
    files = (photos / "0.png", photos / "1.png")
    status, out, _ = dlf("evaluate", *files, "--rate", 1, "--model", tiny_model)
    assert status == 0
    header, row = (line.split() for line in out.splitlines())
    assert header == list(command._COLUMNS)
    assert row[:2] == ["1", "2"]


def test_an_unreadable_image_is_named(dlf, photos, tiny_model):
    notes = photos / "notes.txt"
    status, out, err = dlf("evaluate", notes, "--model", tiny_model)
    assert (status, out) == (2, "")
    assert err == f"dlf: {notes} is not an image that can be read\n"
