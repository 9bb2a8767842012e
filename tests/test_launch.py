"""The scripts in launch/."""

import dataclasses
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from dlf_jax.checkpoints.name_map import name_map
from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec.codec import Codec
from dlf_jax.data.image_io import read_image
from dlf_jax.data.photos import is_holdout
from dlf_jax.models.variants import VARIANTS
from tests.checkpoints.official import CONFIG
from tests.codec.tiny import make_model
from tests.pictures import noise, write_images
from tests.processes import run_python


def _environment(home: Path, **changes: str) -> dict[str, str]:
    """An environment with an empty home in which nothing of this run is visible."""
    kept = ("LANG", "PATH", "PIP_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "https_proxy")
    inherited = {key: val for key, val in os.environ.items() if key.startswith(kept)}
    return inherited | {"HOME": str(home), "JAX_PLATFORMS": "cpu"} | changes


def _pip_cache() -> str:
    command = [sys.executable, "-m", "pip", "cache", "dir"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def test_scripts_are_valid_bash(repository):
    scripts = sorted(repository.glob("launch/*.sh"))
    assert {"quickstart.sh", "test.sh"} <= {script.name for script in scripts}
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize("script", ["quickstart.sh", "test.sh"])
def test_says_so_where_python_is_too_old(script, source_copy, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "cat", "dirname"):
        (tools / tool).symlink_to(shutil.which(tool))
    old = tools / "python3"
    old.write_text("#!/bin/bash\nexit 1\n")  # what 3.10 answers to "are you 3.11?"
    old.chmod(0o755)
    done = subprocess.run(
        [tools / "bash", source_copy / "launch" / script],
        env=_environment(tmp_path, PATH=str(tools)),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "Python 3.11 or newer was not found" in done.stderr


@pytest.mark.parametrize("target", [0, 10, 44, 45, 46, 340, 1000])
def test_same_size_finds_the_nearest_file(repository, monkeypatch, target):
    monkeypatch.syspath_prepend(repository / "launch")
    script = runpy.run_path(str(repository / "launch" / "same_size.py"))
    sizes = {qp: 10 * (64 - qp) for qp in range(30, 64)}
    qp, data = script["nearest_size"](lambda qp: bytes(sizes[qp]), target)
    errors = [abs(size - target) for size in sizes.values()]
    assert len(data) == sizes[qp] and abs(len(data) - target) == min(errors)


def test_side_by_side_shows_both_images(repository, tmp_path):
    Image.new("RGB", (50, 20), "red").save(tmp_path / "a.png")
    Image.new("L", (50, 20), 0).save(tmp_path / "b.png")
    (tmp_path / "a.dlf").write_bytes(bytes(125))
    names = ("a.png", "a.dlf", "b.png", "sheet.png")
    command = [sys.executable, repository / "launch" / "side_by_side.py", *names]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 3 * 12 + 2 * 50
        assert sheet.getpixel((12, 12)) == (255, 0, 0)
        assert sheet.getpixel((12 + 50 + 12 + 49, 12 + 19)) == (0, 0, 0)
        assert sheet.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.slow
def test_full_size_at_a_small_size(repository, tmp_path):
    keys = [
        {"name": name, "shape": entry.shape, "dtype": "float32"}
        for name, entry in name_map(CONFIG).items()
    ]
    keys.append({"name": "lmbda_idx", "shape": (), "dtype": "int32"})
    (tmp_path / "keys.json").write_text(json.dumps({"keys": keys}))
    Image.new("RGB", (50, 20), "red").save(tmp_path / "photo.png")
    script = repository / "launch" / "studies" / "aot" / "full_size.py"
    arguments = (script, "keys.json", "photo.png", "--workdir", "work")
    done = run_python(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    steps = ("make_state", "convert", "load", "encode", "decode")
    assert re.findall(r"^\w+", done.stdout, re.MULTILINE) == list(steps)
    assert len(re.findall(r"peak \d+\.\d\d GiB", done.stdout)) == len(steps)
    with Image.open(tmp_path / "work" / "photo.png") as decoded:
        assert decoded.size == (50, 20)


def test_ablations_are_codecs_that_differ(repository):
    ablation = runpy.run_path(
        str(repository / "launch" / "studies" / "ablation" / "ablation.py")
    )
    trained = {
        name: (dataclasses.replace(VARIANTS["dlf-nano"], **variant.model), variant)
        for name, variant in ablation["ABLATIONS"].items()
        if variant.run is None
    }
    settings = {(model, variant.lmbda) for model, variant in trained.values()}
    assert len(settings) == len(trained)
    for variant in ablation["ABLATIONS"].values():
        assert variant.run is None or variant.run in trained


def test_ablation_without_photos_is_one_line(repository, tmp_path):
    script = runpy.run_path(
        str(repository / "launch" / "studies" / "ablation" / "ablation.py")
    )
    arguments = [str(tmp_path / "none"), str(tmp_path / "work")]
    with pytest.raises(click.ClickException, match="none is not a folder of photos"):
        script["main"](arguments, standalone_mode=False)


def test_contact_sheet_without_photo_is_one_line(
    repository, tmp_path, monkeypatch, capsys
):
    monkeypatch.syspath_prepend(repository / "launch")
    script = runpy.run_path(str(repository / "launch" / "contact_sheet.py"))
    sheet = str(tmp_path / "sheet.jpg")
    with pytest.raises(SystemExit, match="2"):
        script["main"](["none.png", "-o", sheet, "--rates", "0,1"])
    assert (
        capsys.readouterr().err.splitlines()[-1].endswith("No such file or directory")
    )


@pytest.mark.slow
def test_ablation_of_a_toy(repository, tmp_path):
    photos = write_images(tmp_path / "photos", noise(40, 40, 48))
    script = repository / "launch" / "studies" / "ablation" / "ablation.py"
    arguments = (photos, "work", "no_interaction", "--preset=smoke")
    done = run_python(script, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    model = load_model(str(tmp_path / "work" / "models" / "no_interaction"))
    assert model.config.num_interaction_blocks == 0
    held_out = sorted((tmp_path / "work" / "held_out").iterdir())
    assert 1 <= len(held_out) < 10
    photo = read_image(held_out[0])
    assert photo.shape == (384, 384, 3)
    codec = Codec(model)
    assert codec.decompress(codec.compress(photo)).shape == photo.shape


def test_logs_of_runs_that_follow_one_another(repository, tmp_path):
    first = [
        {"step": 50, "time": 1.5, "loss": 1.23456},
        {"step": 100, "time": 2.5, "loss": 9.0},
        {"step": 100, "time": 3.5, "loss": 1.0},  # again, after an interruption
        {"step": 100, "time": 3.5, "val/lpips_alex/0": 0.5, "val/bpp/0": 0.02},
    ]
    second = [{"step": 30, "time": 4.5, "val/lpips_alex/0": 0.4, "val/bpp/0": 0.01}]
    for name, rows in {"a": first, "b": second}.items():
        (tmp_path / name).mkdir()
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / name / "metrics.jsonl").write_text(lines)
    script = runpy.run_path(
        str(repository / "launch" / "studies" / "nano" / "training_log.py")
    )
    runs = [f"run 1={tmp_path / 'a'}", f"run 2={tmp_path / 'b'}"]
    script["main"]([str(tmp_path / "out"), *runs], standalone_mode=False)

    log = (tmp_path / "out" / "training_log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in log] == [
        {"run": "run 1", "step": 50, "loss": 1.235},
        {"run": "run 1", "step": 100, "loss": 1.0},
        {"run": "run 1", "step": 100, "val/lpips_alex/0": 0.5, "val/bpp/0": 0.02},
        {"run": "run 2", "step": 30, "val/lpips_alex/0": 0.4, "val/bpp/0": 0.01},
    ]
    with Image.open(tmp_path / "out" / "training_curves.png") as curves:
        assert curves.size == (850, 600)
    logs = {"a": script["read_log"](tmp_path / "a"), "b": second}
    (line,) = script["draw"](logs).axes[1].get_lines()[2:]
    assert line.get_xydata().tolist() == [[100, 0.02], [130, 0.01]]
    with pytest.raises(click.UsageError, match=r"no metrics\.jsonl"):
        script["main"]([str(tmp_path / "none"), "run 1"], standalone_mode=False)
    assert not (tmp_path / "none").exists()


def test_logs_with_gaps_are_read(repository, tmp_path):
    whole = {"step": 50, "time": 1.5, "loss": None, "val/bpp/0": 0.5}
    for name, text in {"a": json.dumps(whole) + '\n{"step": 100, "ti', "b": ""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text(text)
    script = runpy.run_path(
        str(repository / "launch" / "studies" / "nano" / "training_log.py")
    )
    logs = {name: script["read_log"](tmp_path / name) for name in ("a", "b")}
    assert logs == {"a": [{"step": 50, "val/bpp/0": 0.5}], "b": []}
    assert script["draw"](logs).axes[1].get_lines()[2].get_xydata().tolist() == [
        [50, 0.5]
    ]
    runs = [f"b={tmp_path / 'b'}"]
    script["main"]([str(tmp_path / "out"), *runs], standalone_mode=False)
    assert (tmp_path / "out" / "training_log.jsonl").read_text() == ""


@pytest.mark.slow
def test_linear_probe_of_a_toy(repository, tmp_path, capsys):
    make_model(tmp_path / "tiny")
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for i in range(40):
        image = Image.fromarray(rng.integers(0, 255, (4, 4, 3), np.uint8))
        image.resize((40, 33)).save(tmp_path / "photos" / f"{i}.png")
    script = runpy.run_path(
        str(repository / "launch" / "studies" / "nano" / "linear_probe.py")
    )
    arguments = [str(tmp_path / "tiny"), str(tmp_path / "photos"), "--photos", "20"]
    script["main"](arguments, standalone_mode=False)
    stages, latent, coded = capsys.readouterr().out.split("\n\n")
    assert 0 < float(latent.split()[3]) < 24
    title, _, _, *rows = stages.splitlines()
    kept = sum(is_holdout(f"{i}.png") for i in range(40))
    assert f"{kept} measured" in title and kept > 0
    table = [[x.strip() for x in row.strip("|").split("|")] for row in rows]
    assert [row[:3] for row in table] == [
        ["features", "8", "16"],
        ["latent", "8", "8"],
        ["rounded", "8", "8"],
        ["vqgan", "4", "8"],
        ["image as it is", "1", "3"],
    ]
    for _, _, _, found, best in table[:-1]:
        assert 0 < float(found) < float(best)
    assert float(table[-1][3]) > 0
    curve = [[float(x) for x in row.split("|")[1:3]] for row in coded.splitlines()[2:]]
    bits, decibels = np.transpose(curve)  # ever finer steps
    assert bits[0] > 0 and np.all(np.diff(bits) > 0) and np.all(np.diff(decibels) > 0)
    with pytest.raises(click.BadParameter, match="rate 2 is not one of 0 to 1"):
        script["main"]([*arguments, "--rate", "2"], standalone_mode=False)
    with pytest.raises(click.UsageError, match="nowhere"):
        arguments[1] = "nowhere"
        script["main"](arguments, standalone_mode=False)
    arguments[1] = str(tmp_path / "photos")
    for i in [i for i in range(40) if is_holdout(f"{i}.png")][:2]:
        (tmp_path / "photos" / f"{i}.png").write_bytes(b"no photo")
    with pytest.raises(click.UsageError, match="2 of . photos cannot be decoded"):
        script["main"](arguments, standalone_mode=False)
    for i in range(1, 40):
        (tmp_path / "photos" / f"{i}.png").unlink()
    with pytest.raises(click.BadParameter, match="too few photos"):
        script["main"](arguments, standalone_mode=False)


def test_linear_map_finds_a_linear_map(repository):
    script = runpy.run_path(
        str(repository / "launch" / "studies" / "nano" / "linear_probe.py")
    )
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(500, 12))
    basis = script["components"](pixels * 2.0 ** np.arange(12))
    assert np.abs(basis[11, 0]) > 0.99  # the strongest comes first
    rotation, _ = np.linalg.qr(rng.normal(size=(12, 12)))
    features = 3 * pixels @ rotation - 1
    back = script["linear_map"](features[:400], pixels[:400], features[400:])
    np.testing.assert_allclose(back, pixels[400:], atol=1e-3)
    assert script["psnr"](np.full((6, 4), 0.2), 2) == pytest.approx(20)
    seen, coded = np.array([-2.0, 0, -2, 1]), np.array([-2.0, 1, -2])
    assert script["_bits"](seen, coded) == pytest.approx(4, abs=0.1)  # 1 + 2 + 1
    images = np.arange(2 * 4 * 6 * 3.0, dtype=np.float32).reshape(2, 4, 6, 3)
    squares = script["cells"](images, 2)
    assert squares.shape == (12, 12)
    assert set(squares[4]) == set(np.ravel(images[0, 2:4, 2:4]))


@pytest.mark.slow
@pytest.mark.parametrize("parts", [False, True])
def test_throughput_of_a_stage(repository, parts):
    arguments = ["--config=configs/dlf.py:preset=smoke,stage=tokenizer", "--runs=2"]
    done = run_python(
        *("launch/studies/throughput/throughput.py", *arguments + ["--parts"] * parts),
        cwd=repository,
    )
    assert done.returncode == 0, done.stderr
    product, _, _, *rows = done.stdout.splitlines()
    assert float(product.split()[2]) > 0
    assert len(rows) == (7 if parts else 1)
    for row in rows:
        milliseconds, _, rate = (float(x) for x in row.split("|")[2:5])
        assert milliseconds > 0 and rate > 0


@pytest.mark.slow
def test_profile_of_a_step(repository):
    done = run_python(
        "launch/studies/throughput/profile_step.py",
        *("--config=configs/dlf.py:preset=smoke,stage=tokenizer", "--depth=1"),
        cwd=repository,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tokenizer, 4 images: ")
    operations, modules = (
        dict(
            (cells[1].strip(), float(cells[2]))
            for cells in (line.split("|") for line in table.splitlines()[2:])
        )
        for table in done.stdout.split("\n\n")[1:]
    )
    assert operations["dot"] > 0
    assert any(re.match("encoder.* backward", name) for name in modules)


@pytest.mark.slow
def test_quickstart_from_nothing_and_again(source_copy, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    for run in ("first", "again"):
        done = subprocess.run(
            ["bash", source_copy / "launch" / "quickstart.sh", "environment"],
            env=_environment(home, PIP_CACHE_DIR=_pip_cache()),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert ("Installing" in done.stdout) == (run == "first")
        assert re.search(r"\bbpp\b", done.stdout)
        assert "PSNR" in done.stdout and "LPIPS" in done.stdout
    out = source_copy / "runs" / "quickstart"
    size = (out / "coffee.dlf").stat().st_size
    assert 0 < size < 0.1 * 600 * 400 / 8
    with Image.open(out / "coffee.png") as decoded:
        assert decoded.size == (600, 400)
    with Image.open(out / "side_by_side.png") as sheet:
        assert sheet.width > 2 * 600
