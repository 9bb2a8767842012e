"""``dlf compress`` and ``dlf decompress``, in this process and in real ones."""

import importlib
import os
import re

import jax
import numpy as np
import pytest
from PIL import Image

import dlf_jax
from dlf_jax.cli.quality import Quality
from dlf_jax.codec.codec import Codec
from dlf_jax.data.image_io import read_image
from dlf_jax.entropy_coding.coders import CODERS, Coder


def test_there_and_back(dlf, photo, tiny_model):
    status, out, err = dlf("compress", photo, "--model", tiny_model)
    assert (status, err) == (0, "")
    file = photo.with_name("photo.dlf")
    size = file.stat().st_size
    assert (
        f"{file}: {size} bytes, {8 * size / 150:.4f} bpp (15x10, rate 1, tiny)" in out
    )
    assert re.search(r"loading \d+\.\d\d s, encoding \d+\.\d\d s", out)

    status, out, err = dlf("decompress", file, "--model", tiny_model)
    assert (status, err) == (0, "")
    decoded = photo.with_name("photo.decoded.png")
    assert f"{decoded}: 15x10 from {size} bytes" in out
    wanted = dlf_jax.decompress(file.read_bytes(), model=tiny_model)
    np.testing.assert_array_equal(read_image(decoded), wanted)
    assert sorted(os.listdir(photo.parent)) == [
        "photo.decoded.png",
        "photo.dlf",
        "photo.png",
    ]


def test_output_and_rate_are_chosen(dlf, photo, tiny_model, tmp_path):
    file, image = tmp_path / "small", tmp_path / "out.webp"
    arguments = ("--model", tiny_model, "--rate", 0, "-o", file)
    assert dlf("compress", photo, *arguments)[0] == 0
    assert dlf_jax.info(file.read_bytes()).rate == 0
    assert dlf("decompress", file, "-o", image, "--model", tiny_model)[0] == 0
    with Image.open(image) as written:
        assert written.format == "WEBP"


def test_a_size_is_kept_to_and_the_rate_is_reported(dlf, photo, tiny_model):
    arguments = ("--model", tiny_model, "--force")
    sizes = []
    for rate in (0, 1):
        dlf("compress", photo, *arguments, "--rate", rate)
        sizes.append(photo.with_name("photo.dlf").stat().st_size)
    middle = sum(sizes) // 2
    status, out, _ = dlf("compress", photo, *arguments, "--target-bytes", middle)
    data = photo.with_name("photo.dlf").read_bytes()
    assert status == 0 and len(data) <= middle
    rate = dlf_jax.info(data).rate
    assert 0 < rate < 1 and f"rate {rate}, tiny" in out
    assert dlf("info", photo.with_name("photo.dlf"))[1].count(f"rate   {rate}\n") == 1


def test_raw_payloads_come_back(dlf, photo, tiny_model):
    model = ("--model", tiny_model, "--rate", "0.75")
    assert dlf("compress", photo, *model)[0] == 0
    status, out, _ = dlf("compress", photo, *model, "--raw", "--metrics", "--quiet")
    assert (status, out) == (0, "")
    file, raw = photo.with_name("photo.dlf"), photo.with_name("photo.raw")
    assert file.read_bytes().endswith(raw.read_bytes())
    saved = file.stat().st_size - raw.stat().st_size
    _, out, _ = dlf("compress", photo, *model, "--raw", "--force")
    assert f"{saved} bytes of header and checksum left out" in out
    arguments = (*model, "--raw", "--size", "15x10", "-o", photo.with_name("b.png"))
    assert dlf("decompress", raw, *arguments)[0] == 0
    wanted = dlf_jax.decompress(file.read_bytes(), model=tiny_model)
    np.testing.assert_array_equal(read_image(photo.with_name("b.png")), wanted)


def test_best_effort_decodes_what_is_left_and_says_so(dlf, photo, tiny_model):
    assert dlf("compress", photo, "--model", tiny_model)[0] == 0
    file = photo.with_name("photo.dlf")
    file.write_bytes(file.read_bytes()[:-5])
    arguments = ("decompress", file, "--model", tiny_model)
    assert dlf(*arguments)[0] == 2
    status, out, err = dlf(*arguments, "--best-effort")
    assert status == 0 and "15x10" in out
    assert re.fullmatch(r"dlf: .* damaged; \d+% of its symbols were there, .*\n", err)
    assert read_image(photo.with_name("photo.decoded.png")).shape == (10, 15, 3)


def test_force_overwrites(dlf, photo, tiny_model):
    file = photo.with_name("photo.dlf")
    file.write_bytes(b"old")
    assert dlf("compress", photo, "--model", tiny_model, "--force")[0] == 0
    assert file.read_bytes().startswith(b"DLF")


def test_metrics_are_those_of_the_decoded_file(dlf, photo, tiny_model, monkeypatch):
    seen = []

    def measure(image, recon):
        seen.append((image, recon))
        return Quality(21.5, None, 0.25)

    command = importlib.import_module("dlf_jax.cli.compress")
    monkeypatch.setattr(command, "measure", measure)
    _, out, _ = dlf("compress", photo, "--model", tiny_model, "--metrics")
    assert "PSNR 21.50 dB, MS-SSIM n/a, LPIPS-Alex 0.2500" in out
    ((image, recon),) = seen
    np.testing.assert_array_equal(image, read_image(photo))
    data = photo.with_name("photo.dlf").read_bytes()
    np.testing.assert_array_equal(recon, dlf_jax.decompress(data, model=tiny_model))


def test_real_processes(dlf_process, photo, tiny_model):
    for arguments in (("compress", "photo.png"), ("decompress", "photo.dlf")):
        done = dlf_process(*arguments, "--model", tiny_model, cwd=photo.parent)
        assert (done.returncode, done.stderr) == (0, "")
    data = photo.with_name("photo.dlf").read_bytes()
    np.testing.assert_array_equal(
        read_image(photo.with_name("photo.decoded.png")),
        dlf_jax.decompress(data, model=tiny_model),
    )


def test_a_pipe_receives_the_file_and_nothing_else(dlf_process, photo, tiny_model):
    arguments = ("compress", photo, "--model", tiny_model)
    done = dlf_process(*arguments, "-o", "/dev/stdout", cwd=photo.parent, text=False)
    assert done.returncode == 0
    assert dlf_jax.info(done.stdout).width == 15
    assert done.stderr.startswith(b"/dev/stdout: ")


def test_names_need_not_be_text(dlf_process, photo, tiny_model, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    name = os.fsdecode(b"\xff.png")
    photo.rename(photo.with_name(name))
    done = dlf_process("compress", name, "--model", tiny_model, cwd=photo.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("\\udcff.dlf: ")


def test_a_device_without_memory_is_one_line(dlf, photo, tiny_model, monkeypatch):
    def fail(*_, **__):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")

    monkeypatch.setattr(Codec, "reach", fail)
    status, out, err = dlf("compress", photo, "--model", tiny_model)
    assert (status, out) == (2, "")
    assert err.startswith("dlf: the device has not enough memory for this image: ")
    assert "(RESOURCE_EXHAUSTED: out of memory)" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "method"), [("compress", "reach"), ("decompress", "reconstruct")]
)
def test_interruption_leaves_nothing(dlf, photo, tiny_model, monkeypatch, kind, method):
    assert dlf("compress", photo, "--model", tiny_model)[0] == 0
    source = photo if kind == "compress" else photo.with_name("photo.dlf")
    before = sorted(os.listdir(photo.parent))

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Codec, method, interrupt)
    output = photo.with_name("new.png")
    status, out, err = dlf(kind, source, "-o", output, "--model", tiny_model)
    assert (status, out, err) == (130, "", "dlf: interrupted\n")
    assert sorted(os.listdir(photo.parent)) == before


def test_the_entropy_coder_can_be_chosen(dlf, photo, tiny_model, monkeypatch):
    missing = Coder("tfc", "missing", "some-library")
    monkeypatch.setitem(CODERS, 1, missing)
    command = ("compress", photo, "--model", tiny_model, "--coder")
    status, out, err = dlf(*command, "tfc")
    assert (status, out) == (2, "")
    assert err.startswith("dlf: the entropy coder 'tfc' needs some-library")
    assert not photo.with_suffix(".dlf").exists()
    assert dlf(*command, "range")[0] == 0
    assert dlf(*command, "zip")[0] == 2
