"""``dlf evaluate``: a table, a folder, and errors before any work."""

import csv
import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

import dlf_jax
from dlf_jax.evaluation import outputs
from dlf_jax.metrics import features
from dlf_jax.metrics.features import FeatureNetwork
from dlf_jax.metrics.psnr import psnr
from tests.codec.tiny import random_image
from tests.pictures import write_images


@pytest.fixture
def photos(tmp_path):
    images = (random_image(10, 15, seed) for seed in range(2))
    folder = write_images(tmp_path / "photos", images)
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture
def evaluate(dlf):
    """The command with one process and without networks: the rest of its arguments."""

    def run(*arguments):
        return dlf(
            "evaluate", "--processes", 1, "--metrics", "psnr,lpips_alex", *arguments
        )

    return run


def test_means_for_every_rate(evaluate, photos, tiny_model):
    status, out, err = evaluate(photos, "--codecs", f"dlf:{tiny_model}")
    assert (status, err) == (0, "")
    header, *lines = (line.split() for line in out.splitlines())
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    assert [row["setting"] for row in rows] == ["0", "1"]
    images = [random_image(10, 15, seed) for seed in range(2)]
    for rate, row in enumerate(rows):
        files = dlf_jax.compress(images, rate, tiny_model)
        recons = np.stack(dlf_jax.decompress(files, tiny_model))
        sizes = [len(data) for data in files]
        assert row["images"] == "2"
        assert float(row["bytes"]) == np.mean(sizes)
        assert float(row["bpp"]) == pytest.approx(8 * np.mean(sizes) / 150, abs=1e-4)
        quality = float(psnr(np.stack(images), recons).mean())
        assert float(row["psnr"]) == pytest.approx(quality, abs=0.01)
        assert row["lpips_alex"] == "n/a"


def test_a_folder_with_everything(evaluate, photos, tmp_path):
    out = tmp_path / "new" / "report"
    arguments = ("--images", photos, "--codecs", "jpeg,webp@0", "--out", out)
    status, text, err = evaluate(*arguments, "--anchor", "jpeg")
    assert (status, err) == (0, "")
    assert text.splitlines()[-1] == str(out / "report.html")
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    assert [row["codec"] for row in rows] == (["jpeg"] * 3 + ["webp"]) * 2
    for row in rows:
        assert float(row["bpp"]) == pytest.approx(8 * int(row["bytes"]) / 150)
    results = json.loads((out / "results.json").read_text())
    assert results["anchor"] == "jpeg" and len(results["means"]) == 4
    kept = {path: path.stat().st_mtime_ns for path in (out / "cache").iterdir()}
    assert len(kept) == 2 * len(rows)
    assert evaluate(*arguments)[:2] == (0, text)
    assert {p: p.stat().st_mtime_ns for p in (out / "cache").iterdir()} == kept


def test_the_anchor_is_vvc_if_it_is_there(evaluate, photos, tmp_path, monkeypatch):
    anchors = []
    monkeypatch.setattr(
        outputs, "write_outputs", lambda *_, anchor, **__: anchors.append(anchor)
    )
    for codecs in ("vvc-qpa@63,vvc@63", "vvc-qpa@63"):
        arguments = ("--codecs", codecs, "--out", tmp_path / "report")
        assert evaluate(photos / "0.png", *arguments)[0] == 0
    assert anchors == ["vvc", None]


def test_equal_pictures_are_infinitely_good_and_json_stays_json(evaluate, tmp_path):
    (tmp_path / "p").mkdir()
    Image.new("RGB", (64, 64), (128, 128, 128)).save(tmp_path / "p" / "grey.png")
    out = tmp_path / "report"
    arguments = (tmp_path / "p", "--codecs", "jpeg@12", "--out", out)
    status, text, err = evaluate(*arguments, "--metrics", "psnr")
    assert (status, err) == (0, "")
    assert text.splitlines()[1].split()[5] == "inf"
    (kept,) = (out / "cache").glob("*.json")
    for path in (out / "results.json", kept):
        refused = json.JSONDecoder(parse_constant=lambda name: 1 / 0)
        refused.decode(path.read_text())
    assert json.loads((out / "results.json").read_text())["means"][0]["psnr"] is None
    # What the cache kept is what was measured.
    assert evaluate(*arguments, "--metrics", "psnr")[1] == text


def test_names_need_not_be_text_and_leftovers_of_macos_are_no_photos(
    evaluate, photos, tmp_path
):
    (photos / "0.png").rename(photos / os.fsdecode(b"caf\xe9.png"))
    (photos / "1.png").rename(photos / "[1]*.png")
    (photos / "._1.png").write_bytes(b"\x00\x05\x16\x07")
    out = tmp_path / os.fsdecode(b"r\xe9port")
    arguments = (photos, "--codecs", "jpeg@1", "--metrics", "psnr", "--out", out)
    for _ in range(2):
        status, text, err = evaluate(*arguments)
        assert (status, err) == (0, "")
    rows = csv.DictReader((out / "results.csv").read_text("utf-8").splitlines())
    assert [row["image"] for row in rows] == ["[1]*.png", "caf\\udce9.png"]
    assert "caf\\\\udce9.png" in (out / "report.html").read_text("utf-8")


def test_everything_counts_once_and_has_a_name_of_its_own(dlf, photos, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (photos / "1.png").rename(other / "0.png")
    out = tmp_path / "report"
    status, text, err = dlf(
        *("evaluate", photos, other, photos / "0.png", "--codecs", "jpeg@1"),
        *("--metrics", "psnr,psnr", "--anchor", "jpeg", "--out", out),
    )
    assert (status, err) == (0, "")
    assert text.split().count("psnr") == 1
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    names = [str(photos / "0.png"), str(other / "0.png")]
    assert [row["image"] for row in rows] == names


def test_distances_of_features_follow_the_means(evaluate, tmp_path, monkeypatch):
    network = FeatureNetwork("F-name", "K-name", 3, lambda x: x.mean((1, 2)))
    monkeypatch.setattr(features, "feature_network", lambda inception: network)
    Image.fromarray(random_image(384, 384)).save(tmp_path / "a.png")
    status, out, _ = evaluate(
        tmp_path, "--codecs", "jpeg@1", "--features", "--metrics", "psnr"
    )
    header, line = (line.split() for line in out.splitlines()[-2:])
    assert status == 0
    assert header == ["codec", "setting", "patches", "F-name", "K-name"]
    assert line[:3] == ["jpeg", "1", "2"] and float(line[3]) > 0


def test_json_has_one_object_for_each_setting(evaluate, tmp_path, monkeypatch):
    network = FeatureNetwork("F-name", "K-name", 3, lambda x: x.mean((1, 2)))
    monkeypatch.setattr(features, "feature_network", lambda inception: network)
    Image.new("RGB", (384, 384), (128, 128, 128)).save(tmp_path / "grey.png")
    arguments = (tmp_path, "--codecs", "jpeg", "--metrics", "psnr", "--features")
    status, out, err = evaluate(*arguments, "--json", "--out", tmp_path / "report")
    assert (status, err) == (0, "")
    rejected = json.JSONDecoder(parse_constant=lambda name: 1 / 0)
    lines = [rejected.decode(line) for line in out.splitlines()]
    assert [line["setting"] for line in lines] == ["1", "5", "12"]
    for line in lines:
        assert line.keys() == {
            *("codec", "setting", "images", "bytes", "bpp", "psnr"),
            *("encode_s", "decode_s", "patches", "F-name", "K-name"),
        }
        assert (line["codec"], line["images"], line["patches"]) == ("jpeg", 1, 2)
        assert line["bpp"] == pytest.approx(8 * line["bytes"] / 384**2)
    assert lines[2]["psnr"] is None  # equal pictures
    assert json.loads((tmp_path / "report" / "results.json").read_text())["means"]


def test_quiet_leaves_the_results_to_files(evaluate, photos, tmp_path):
    arguments = (photos, "--codecs", "jpeg@1", "-q")
    status, out, err = evaluate(*arguments)
    assert (status, out) == (2, "") and "--quiet needs --out or --json" in err
    assert evaluate(*arguments, "--out", tmp_path / "report") == (0, "", "")
    assert (tmp_path / "report" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no images are named: dlf evaluate --images DIR"),
        (("--metrics", "fid"), "there is no metric 'fid': use one of psnr, ms_ssim"),
        (("--codecs", "png"), "there is no codec 'png'"),
        (("--codecs", "jpeg@1,jpeg@5"), "a codec is named twice"),
        (("--codecs", "jpeg", "--anchor", "vvc"), "there is no anchor 'vvc'"),
        (("--codecs", "jpeg", "--published", "x"), "no published curves for 'x'"),
        (("--codecs", "jpeg", "--inception", "none"), "cannot read none"),
    ],
)
def test_mistakes_are_told_before_any_work(dlf, photos, tmp_path, arguments, message):
    images = [photos] if arguments else []
    out = tmp_path / "report"
    status, text, err = dlf("evaluate", *images, *arguments, "--out", out)
    assert (status, text) == (2, "")
    assert message in err and len(err.splitlines()) == 1
    assert not out.exists()


def test_an_unreadable_image_is_named(evaluate, photos):
    notes = photos / "notes.txt"
    status, out, err = evaluate(notes, "--codecs", "jpeg")
    assert (status, out) == (2, "")
    assert err == f"dlf: {notes} is not an image that can be read: convert it to PNG\n"


def test_a_missing_extra_is_named(dlf, photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    status, _, err = dlf("evaluate", photos)
    assert status == 2
    assert err.startswith('dlf: pandas is missing: pip install ".[evaluate]" in the ')
