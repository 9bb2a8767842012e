"""``dlf bulk`` as a user runs it, with two workers."""

import json
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image

import dlf_jax
from dlf_jax.codec.goal import Goal
from dlf_jax.data.image_io import read_image
from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS
from tests.codec.tiny import make_model, random_image
from tests.processes import run_python, start_python

pytest.importorskip("apache_beam")

from dlf_jax.bulk.work import Compress

_TWO_WORKERS = (
    "--",
    "--direct_num_workers=2",
    "--direct_running_mode=multi_processing",
)


@pytest.fixture
def photos(tmp_path):
    """Six images in two folders, two of which share a stem, and one that is none."""
    for i, name in enumerate(
        ("a/0.png", "a/1.png", "b/0.png", "b/1.png", "b/2.png", "b/2.webp")
    ):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random_image(10 + i, 15, i)).save(path, lossless=True)
    (tmp_path / "photos" / "b" / "bad.png").write_bytes(b"no image")
    return tmp_path / "photos"


def _outputs(folder, suffix):
    found = sorted(folder.rglob(f"*{suffix}"))
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_two_workers_make_the_files_of_one_command(
    dlf, dlf_process, photos, tiny_model, tmp_path
):
    compress = (
        *("bulk", "compress", "--input", f"{photos}/**.*", "--rate", 1),
        *("--model", tiny_model, "--output", tmp_path / "files"),
    )
    ran = dlf_process(*compress, *_TWO_WORKERS, cwd=tmp_path)
    assert ran.returncode == 1, ran.stderr
    assert "6 done, 0 were there, 1 failed" in ran.stdout
    (failure,) = _lines(tmp_path / "files/errors.jsonl")
    assert failure["file"] == f"{photos}/b/bad.png"
    assert "not an image" in failure["error"]
    codec = dlf_jax.load(str(tiny_model))
    wanted = {
        f"{path.relative_to(photos)}.dlf": codec.compress(read_image(path), rate=1)
        for path in photos.rglob("*.*")
        if path.name != "bad.png"
    }
    assert _outputs(tmp_path / "files", ".dlf") == wanted

    # Again: what is there stays, what is lacking comes back, the rest is tried again.
    kept = tmp_path / "files" / "a" / "0.png.dlf"
    (tmp_path / "files" / "a" / "1.png.dlf").unlink()
    before = kept.stat().st_mtime_ns
    Image.fromarray(random_image(8, 8, 0)).save(photos / "b" / "bad.png")
    status, out, err = dlf(*compress)
    assert status == 0, err
    assert "2 done, 5 were there, 0 failed" in out
    assert kept.stat().st_mtime_ns == before
    assert (tmp_path / "files/errors.jsonl").read_text() == ""
    files = _outputs(tmp_path / "files", ".dlf")
    assert files.pop("b/bad.png.dlf") and files == wanted

    ran = dlf_process(
        *("bulk", "decompress", "--input", tmp_path / "files" / "**.dlf"),
        *("--model", tiny_model, "--output", tmp_path / "images", *_TWO_WORKERS),
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert "7 done" in ran.stdout
    for name, data in wanted.items():
        image = read_image(tmp_path / "images" / f"{name}.png")
        np.testing.assert_array_equal(image, codec.decompress(data))


@pytest.mark.slow
def test_a_killed_run_goes_on(photos, tiny_model, tmp_path):
    command = (
        *("-m", "dlf_jax", "bulk", "compress", "--input", f"{photos}/**.png"),
        *("--model", tiny_model, "--output", tmp_path / "files"),
    )
    first = start_python(*command, cwd=tmp_path, stdout=None, stderr=None)
    while first.poll() is None and not list(tmp_path.rglob("*.dlf")):
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    there = _outputs(tmp_path / "files", ".dlf")
    assert there
    again = run_python(*command, cwd=tmp_path)
    assert again.returncode == 1, again.stderr
    assert f"{5 - len(there)} done, {len(there)} were there" in again.stdout
    files = _outputs(tmp_path / "files", ".dlf")
    assert len(files) == 5 and there.items() <= files.items()


def test_rows_and_means_of_codecs(dlf, photos, tmp_path):
    status, out, err = dlf(
        *("bulk", "evaluate", "--input", f"{photos}/a/*.png", "--codecs", "jpeg"),
        *("--metrics", "psnr", "--output", tmp_path / "out"),
    )
    assert status == 0, err
    means = _lines(tmp_path / "out/means.jsonl")
    rows = [
        row | {"image": path.name.removesuffix(".json")}
        for path in sorted((tmp_path / "out").glob("*.json"))
        for row in json.loads(path.read_text())
    ]
    assert len(rows) == 2 * len(means)
    for mean in means:
        assert mean["images"] == 2 and f"setting {mean['setting']} " in out
        same = [row for row in rows if row["setting"] == mean["setting"]]
        for name in ("bytes", "bpp", "psnr"):
            wanted = np.mean([row[name] for row in same])
            assert mean[name] == pytest.approx(float(wanted))
    header, *lines = (tmp_path / "out/results.csv").read_text().splitlines()
    assert header == "image,codec,setting,bytes,bpp,psnr,encode_s,decode_s"
    assert sorted(line.split(",")[:4] for line in lines) == sorted(
        [row["image"], "jpeg", row["setting"], str(row["bytes"])] for row in rows
    )


def test_equal_pictures_are_infinitely_good_and_json_stays_json(dlf, tmp_path):
    (tmp_path / "p").mkdir()
    Image.new("RGB", (64, 64), (128, 128, 128)).save(tmp_path / "p" / "grey.png")
    status, out, err = dlf(
        *("bulk", "evaluate", "--input", f"{tmp_path}/p/*", "--codecs", "jpeg@12"),
        *("--metrics", "psnr", "--output", tmp_path / "out"),
    )
    assert status == 0, err
    assert "psnr inf" in out
    (record,) = json.loads((tmp_path / "out/grey.png.json").read_text())
    (mean,) = _lines(tmp_path / "out/means.jsonl")
    assert record["psnr"] is None and mean["psnr"] is None
    assert ",inf," in (tmp_path / "out/results.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--input", "nothing/*.png"), "/nothing/*.png"),
        (("--input", "{photos}/a/*", "--rate", 9), "there is no rate 9"),
        (("--input", "{photos}/a/*", "--model", "no"), "no"),
        (("--input", "{photos}/a/*", "--runner", "No"), "Beam rejects"),
        (("--input", "{photos}/a/*", "--", "--no=1"), "there is no --no"),
        (
            ("--input", "{photos}/a/*", "--output", "gs://b/o[1]"),
            "must not have *, ? or [",
        ),
    ],
)
def test_errors_are_one_line(dlf, photos, tmp_path, arguments, message):
    given = [str(a).format(photos=photos) for a in arguments]
    status, out, err = dlf("bulk", "compress", "--output", tmp_path / "out", *given)
    assert status == 2 and out == ""
    assert err.startswith("dlf: ") and message in err and err.count("\n") == 1
    assert not list(tmp_path.rglob("*.dlf"))


def test_the_folder_may_be_the_current_one(dlf, photos, monkeypatch):
    monkeypatch.chdir(photos / "a")
    status, out, err = dlf(
        *("bulk", "evaluate", "--input", "*.png", "--codecs", "jpeg@5"),
        *("--metrics", "psnr", "--output", "out"),
    )
    assert status == 0, err
    assert "2 done" in out
    found = sorted(path.name for path in (photos / "a" / "out").glob("*.png.json"))
    assert found == ["0.png.json", "1.png.json"]


def test_names_of_any_bytes_and_wildcards(dlf, tiny_model, tmp_path):
    folder, out = tmp_path / "in[1]", tmp_path / "out[1]*"
    names = ["[a]*?.png", "back\\slash.png", os.fsdecode(b"caf\xe9.png")]
    (folder / "b").mkdir(parents=True)
    for name in names:
        Image.fromarray(random_image(8, 8, 0)).save(folder / name)
    (folder / "b" / os.fsdecode(b"\xff[0].png")).write_bytes(b"no image")
    (folder / "._a.png").write_bytes(b"\0")
    arguments = ("bulk", "compress", "--input", folder, "--model", tiny_model)
    status, text, err = dlf(*arguments, "--output", out)
    assert (status, err) == (1, "")
    assert text.startswith(f"{out}: 3 done, 0 were there, 1 failed")
    assert sorted(p.name for p in out.glob("*.dlf")) == [f"{n}.dlf" for n in names]
    (failure,) = _lines(out / "errors.jsonl")
    assert failure["file"] == f"{folder}/b/\\udcff[0].png"
    assert dlf(*arguments, "--output", out)[1].startswith(f"{out}: 0 done, 3 were")
    left = {p.name for p in out.iterdir()} - {f"{name}.dlf" for name in names}
    assert left == {"errors.jsonl", "job.txt"}

    status, text, err = dlf(
        *("bulk", "evaluate", "--input", folder, "--codecs", "jpeg@1"),
        *("--metrics", "psnr", "--output", tmp_path / "results"),
    )
    assert status == 1 and "3 done" in text
    table = (tmp_path / "results" / "results.csv").read_text("utf-8")
    assert "caf\\udce9.png,jpeg" in table


def test_results_of_one_kind_only(dlf, photos, tmp_path):
    def compress(rate):
        return dlf(
            *("bulk", "compress", "--input", f"{photos}/a/*.png", "--rate", rate),
            *("--model", tmp_path / "model", "--output", tmp_path / "out"),
        )

    make_model(tmp_path / "model")
    assert compress(0)[0] == 0
    status, _, err = compress(1)
    assert status == 2 and "use another --output" in err
    make_model(tmp_path / "model", seed=1)
    status, _, err = compress(0)
    assert status == 2 and "use another --output" in err


def test_every_file_keeps_to_a_size(dlf, photos, tiny_model, tmp_path):
    codec = dlf_jax.load(str(tiny_model))
    images = [read_image(path) for path in sorted((photos / "a").glob("*.png"))]
    most = max(len(codec.compress(image, rate=0)) for image in images)
    status, _, _ = dlf(
        *("bulk", "compress", "--input", f"{photos}/a/*.png", "--target-bytes", most),
        *("--model", tiny_model, "--output", tmp_path / "out"),
    )
    files = [path.read_bytes() for path in (tmp_path / "out").rglob("*.dlf")]
    wanted = [codec.compress(image, target_bytes=most) for image in images]
    assert status == 0 and sorted(files) == sorted(wanted)
    assert max(map(len, files)) <= most


def test_a_host_with_other_weights_is_an_error(tiny_model):
    work = Compress(str(tiny_model), "00", Goal(0), DEFAULT_LIMITS)
    with pytest.raises(UserError, match="is another model on "):
        work.open()
