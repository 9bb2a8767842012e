"""Many files in one command: outputs, failures, summary, interruption."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dlf_jax
from dlf_jax.cli.outputs import outputs_of
from dlf_jax.cli.streams import INPUT, OUTPUT
from dlf_jax.codec import catalog
from dlf_jax.codec.codec import Codec
from dlf_jax.data.image_io import read_image
from dlf_jax.errors import UserError
from dlf_jax.metrics.psnr import psnr
from tests.codec.tiny import random_image
from tests.pictures import write_images


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Three photos, 0.png to 2.png, in the current folder."""
    folder = write_images(
        tmp_path / "p", (random_image(10, 15, seed) for seed in range(3))
    )
    monkeypatch.chdir(folder)
    return [f"{number}.png" for number in range(3)]


@pytest.fixture
def compress(dlf, tiny_model):
    """The command with the tiny model."""

    def run(*arguments):
        return dlf("compress", "--model", tiny_model, *arguments)

    return run


@pytest.fixture
def decompress(dlf, tiny_model):
    """The command with the tiny model."""

    def run(*arguments):
        return dlf("decompress", "--model", tiny_model, *arguments)

    return run


def test_there_and_back_through_new_folders(compress, decompress, photos, tiny_model):
    status, out, err = compress(*photos, "-o", "new/files", "--rate", 0)
    assert (status, err) == (0, "")
    names = [f"new/files/{number}.dlf" for number in range(3)]
    files = [Path(name).read_bytes() for name in names]
    images = [read_image(photo) for photo in photos]
    assert files == dlf_jax.compress(images, 0, tiny_model)
    size, bpp = sum(map(len, files)), np.mean([8 * len(file) / 150 for file in files])
    assert re.fullmatch(
        rf"compressed 3 files: {size:,} bytes, mean {bpp:.4f} bpp, \d+\.\d s\n", out
    )

    status, out, err = decompress(*names, "-o", "decoded/")
    assert (status, err) == (0, "")
    assert re.fullmatch(r"decompressed 3 files: \d+\.\d s\n", out)
    assert sorted(os.listdir("decoded")) == photos
    for photo, recon in zip(photos, dlf_jax.decompress(files, tiny_model), strict=True):
        np.testing.assert_array_equal(read_image(f"decoded/{photo}"), recon)


def test_outputs_lie_beside_their_inputs_by_default(compress, decompress, photos):
    assert compress(*photos)[0] == 0
    assert decompress("0.dlf", "1.dlf")[0] == 0
    assert sorted(os.listdir()) == (
        ["0.decoded.png", "0.dlf", "0.png", "1.decoded.png", "1.dlf", "1.png"]
        + ["2.dlf", "2.png"]
    )


def test_the_model_is_loaded_once(compress, photos, monkeypatch):
    loaded, load = [], catalog.load_model
    catalog._read.cache_clear()
    monkeypatch.setattr(catalog, "load_model", lambda d: loaded.append(d) or load(d))
    assert compress(*photos)[0] == 0
    assert len(loaded) == 1


@pytest.mark.parametrize("output", ["folder/", "there"])
def test_a_folder_for_one_file(compress, photos, output):
    os.mkdir("there")
    status, out, err = compress("0.png", "-o", output)
    assert (status, err) == (0, "")
    path = os.path.join(output.rstrip("/"), "0.dlf")
    assert out.startswith(f"{path}: ") and os.path.isfile(path)


def test_failures_are_listed_and_the_others_done(compress, photos):
    os.mkdir("folder")
    Path("1.png").write_bytes(b"hello")
    status, out, err = compress(*photos, "absent.png", "folder", "-o", "out")
    assert status == 1
    lines = err.splitlines()
    assert len(lines) == 3
    for line, name in zip(lines, ("1.png", "absent.png", "folder"), strict=True):
        assert re.match(f"dlf: .*{name}", line)
    assert out.startswith("compressed 2 files, 3 failed: ")
    assert sorted(os.listdir("out")) == ["0.dlf", "2.dlf"]


def test_failures_without_a_name_get_one(compress, photos):
    Image.fromarray(random_image(64, 64)).save("large.png")
    status, _, err = compress("large.png", "0.png", "--max-megapixels", "0.001")
    assert status == 1 and err.startswith("dlf: large.png has ")
    os.remove("0.dlf")
    status, _, err = compress("1.png", "0.png", "--max-memory", "1e-5")
    assert status == 1
    assert [line[:11] for line in err.splitlines()] == ["dlf: 1.png:", "dlf: 0.png:"]


def test_existing_files_are_kept_unless_forced(compress, photos):
    Path("1.dlf").write_bytes(b"old")
    status, out, err = compress(*photos)
    assert status == 1 and out.startswith("compressed 2 files, 1 failed: ")
    assert err == "dlf: 1.png: 1.dlf exists already: use --force to overwrite it\n"
    assert Path("1.dlf").read_bytes() == b"old"
    status, out, err = compress(*photos, "--force")
    assert (status, err) == (0, "") and out.startswith("compressed 3 files: ")
    assert Path("1.dlf").read_bytes().startswith(b"DLF")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["0.png", "0.jpg", "-o", "out"],
            "0.png and 0.jpg would both become out/0.dlf",
        ),
        (["0.png", "p/../0.png"], "would both become"),
        (["0.png", "./0.png", "-o", "out/"], "rename one, or use two commands"),
        (["0.png", "-"], "stdin must be the only input"),
        (["0.png", "1.png", "-o", "-"], "stdout takes one file: name a folder"),
        (["0.png", "1.png", "-o", "2.png"], "2.png is a file already: name a folder"),
        (["0.png", "1.png", "-o", "2.png/x"], "cannot create the folder 2.png/x"),
        (["-", "-o", "out/"], "stdin has no name: name a file in out"),
        (["0.png", "1.png", "--rate", "9", "-o", "out"], "there is no rate 9"),
        (["0.png", "1.png", "--model", "big", "-o", "out"], "no model 'big'"),
        (["0.png", "-q", "-v"], "Use either --quiet or --verbose"),
    ],
)
def test_mistakes_about_all_files_are_told_before_any_work(
    compress, photos, arguments, message
):
    before = sorted(os.listdir())
    status, out, err = compress(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert sorted(os.listdir()) == before


def test_links_to_one_file_are_one_output(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    sources = [
        INPUT.convert(f"{tmp_path}/{folder}/a.png", None, None)
        for folder in ("real", "link")
    ]
    with pytest.raises(UserError, match=r"would both become .*a\.dlf"):
        with outputs_of(sources, None, ".dlf", ".dlf"):
            pass


def test_a_new_folder_stays_only_with_files_in_it(tmp_path):
    output = OUTPUT.convert(f"{tmp_path}/new/", None, None)
    sources = [INPUT.convert("a.png", None, None)]
    for made, left in ((False, False), (True, True)):
        with outputs_of(sources, output, ".dlf", ".dlf") as ((_, job),):
            if made:
                job.write(b"data", force=False)
        assert (tmp_path / "new").exists() == left
    with outputs_of(sources, output, ".dlf", ".dlf") as ((_, job),):
        os.remove(job.name)
    assert (tmp_path / "new").exists()  # which was there before


def test_one_image_too_large_for_the_device_is_a_failure_of_its_own(
    compress, photos, monkeypatch
):
    work = Codec.reach

    def fail_once(self, image, *options):
        monkeypatch.setattr(Codec, "reach", work)
        raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")

    monkeypatch.setattr(Codec, "reach", fail_once)
    status, out, err = compress(*photos)
    assert status == 1 and out.startswith("compressed 2 files, 1 failed: ")
    assert err.startswith("dlf: 0.png: the device has not enough memory for this image")


def test_finished_files_stay_after_an_interruption(compress, photos, monkeypatch):
    work = Codec.reach
    images = []

    def interrupt(self, image, *options):
        images.append(image)
        if len(images) == 2:
            raise KeyboardInterrupt
        return work(self, image, *options)

    monkeypatch.setattr(Codec, "reach", interrupt)
    assert compress(*photos, "-o", "out") == (130, "", "dlf: interrupted\n")
    assert os.listdir("out") == ["0.dlf"]


def test_quiet_prints_errors_only(compress, photos):
    assert compress(*photos, "-q") == (0, "", "")
    assert compress("0.png", "-o", "x.dlf", "--quiet") == (0, "", "")
    status, out, err = compress(*photos, "-q")
    assert (status, out, err.count("\n")) == (1, "", 3)


def test_verbose_tells_about_machine_and_files(compress, photos):
    status, out, err = compress(*photos, "-v")
    assert status == 0
    assert "\ndevice     cpu\n" in err and err.startswith("python     3.")
    *lines, summary, memory = out.splitlines()
    assert [line[:6] for line in lines] == ["0.dlf:", "1.dlf:", "2.dlf:"]
    assert all(re.search(r", encoding \d+\.\d\d s$", line) for line in lines)
    assert summary.startswith("compressed 3 files: ")
    assert re.match(r"peak memory \d+ MiB", memory)
    status, out, _ = compress("0.png", "-o", "x.dlf", "-v")
    assert status == 0
    assert re.fullmatch(r"x\.dlf: .*\nloading .*\npeak memory \d+ MiB.*\n", out)


def test_metrics_of_many_files_are_means(compress, photos, tiny_model):
    status, out, _ = compress(*photos, "--metrics")
    assert status == 0
    images = np.stack([read_image(photo) for photo in photos])
    files = [Path(f"{number}.dlf").read_bytes() for number in range(3)]
    quality = psnr(images, np.stack(dlf_jax.decompress(files, tiny_model))).mean()
    assert f"PSNR {quality:.2f} dB, MS-SSIM n/a, LPIPS-Alex n/a" in out


def test_damage_is_told_for_every_file(compress, decompress, photos):
    assert compress(*photos)[0] == 0
    Path("1.dlf").write_bytes(Path("1.dlf").read_bytes()[:-3])
    status, out, err = decompress("0.dlf", "1.dlf", "--best-effort")
    assert status == 0 and out.startswith("decompressed 2 files: ")
    assert re.fullmatch(r"dlf: 1\.dlf: .* damaged; \d+% of its symbols were .*\n", err)


class Terminal:
    """A stderr that claims to be interactive."""

    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_a_terminal_shows_a_bar_and_errors_above(
    compress, photos, monkeypatch, options
):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert compress(*photos, "absent.png", *options)[0] == 1
    assert ("file/s" in terminal.text) == (options == ())
    assert "cannot read absent.png" in terminal.text
    last = terminal.text.rsplit("\n", 1)[-1].rsplit("\r", 1)[-1]
    assert last.strip() == ""  # the bar is gone


def test_info_of_many_files(dlf, compress, photos):
    assert compress(*photos)[0] == 0
    status, out, err = dlf("info", "0.dlf", "absent.dlf", "1.dlf")
    assert (status, err.count("\n")) == (1, 1) and "cannot read absent.dlf" in err
    names = [line for line in out.splitlines() if line.startswith("file ")]
    assert names == ["file   0.dlf", "file   1.dlf"]
