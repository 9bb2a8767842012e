"""Preset smoke: every stage of preset l in real processes, from photos to a codec."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from tests.training.event_files import read_events

# Stages that run at once, and what they start from; with none, the rest is random.
_WAVES = (
    {"vqgan": ()},
    {"tokenizer": ("vqgan",), "align_warmup": ("vqgan", "none")},
    {"align": ("tokenizer", "align_warmup"), "pixel": ("tokenizer", "align_warmup")},
    {"pixel_512": ("pixel",), "tune_semantic": ("align", "pixel")},
)
_VALIDATED = "pixel"  # the others are spared the time


@pytest.fixture
def photos(repository, tmp_path):
    """Crops of the bundled photo, two of them held out by their names, and a wreck."""
    folder = tmp_path / "photos"
    folder.mkdir()
    with Image.open(repository / "launch" / "assets" / "coffee.png") as photo:
        for i in range(24):
            left, top = 100 * (i % 6), 100 * (i // 6)
            crop = photo.convert("RGB").crop((left, top, left + 100, top + 100))
            crop.save(folder / f"{i}.png")
    (folder / "broken.png").write_bytes(b"no photo")
    return folder


@pytest.mark.slow
def test_every_stage_runs(dlf_process, repository, photos, tmp_path):
    def train(stage, origins, *arguments):
        return dlf_process(
            "train",
            f"--config={repository / 'configs' / 'dlf.py'}:preset=smoke,stage={stage}",
            f"--workdir={stage}",
            f"--config.data={photos}",
            f"--config.init_from={','.join(origins)}",
            "--config.steps=2",
            "--config.cache_photos",  # to find the wreck within two steps
            "--config.log_every=1",
            "--config.validation.every=1",
            f"--config.validation.photos={2 if stage == _VALIDATED else 0}",
            *arguments,
            cwd=tmp_path,
        )

    for wave in _WAVES:
        with ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(train, wave.keys(), wave.values()))
        for stage, done in zip(wave, runs, strict=True):
            assert done.returncode == 0, done.stderr
            lines = (tmp_path / stage / "metrics.jsonl").read_text().splitlines()
            last = [json.loads(s) for s in lines if "images/s" in s][-1]
            assert last["step"] == 2 and math.isfinite(last["loss"])
            assert last["undecodable"] == 1

    events = read_events(tmp_path / _VALIDATED / "tensorboard")
    assert {"loss", "lmbda/0", "bpp/0", "bpp_noisy/0", "gradient/encoder"} < set(events)
    assert {"val/loss", "val/psnr/0", "val/lpips_alex/0", "val/bpp/0"} < set(events)
    assert list(events["val/photo_0"]) == [1, 2]
    # The untrained codec needs more than the 0.008 bpp of qp0: λ climbs its ladder.
    assert events["val/bpp/0"][1] > 0.008
    assert events["lmbda/0"] == {1: 1.0, 2: 4.0}

    again = train("vqgan", (), "--config.batch_size=8")
    assert again.returncode == 2
    assert "started with batch_size 4 and cannot be resumed with 8" in again.stderr

    alone = dlf_process("train", f"--workdir={tmp_path / 'vqgan'}", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert "resuming at step 2" in alone.stdout

    model, photo = tmp_path / "model", photos / "0.png"
    for command in (
        ["export", tmp_path / "tune_semantic", model],
        ["compress", photo, "-o", "a.dlf", "--model", model],
        ["decompress", "a.dlf", "-o", "a.png", "--model", model],
    ):
        done = dlf_process(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "a.png") as decoded:
        assert decoded.size == (100, 100)
