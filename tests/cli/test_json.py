"""``--json``: one strict object a line, with the documented keys."""

import json
import re
from pathlib import Path

import pytest

import dlf_jax
from dlf_jax.cli.reports import as_line
from dlf_jax.codec.container import Header, pack
from tests.codec.tiny import random_image
from tests.pictures import write_images

_NAMES = {"file", "output"}
_FACTS = {"width", "height", "bytes", "bpp", "rate", "model_id", "coder"}
_MACHINE = {"device", "peak_bytes", "device_peak_bytes"}


def objects(out: str) -> list[dict]:
    """Objects of lines, without the names of JSON's extensions."""

    def reject(name):
        raise ValueError(name)

    return [json.loads(line, parse_constant=reject) for line in out.splitlines()]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two photos and a broken one, in the current folder."""
    images = (random_image(10, 15, seed) for seed in range(2))
    monkeypatch.chdir(write_images(tmp_path / "p", images))
    Path("x.png").write_bytes(b"hello")
    return ["0.png", "x.png", "1.png"]


def test_an_object_for_every_file(dlf, photos, tiny_model):
    command = ("compress", *photos, "-o", "out", "--model", tiny_model, "--json")
    status, out, err = dlf(*command)
    assert (status, err) == (1, "")
    first, failed, last = objects(out)
    assert failed.keys() == {"file", "error"} and failed["file"] == "x.png"
    assert "x.png is not an image" in failed["error"]
    for facts, photo in ((first, "0.png"), (last, "1.png")):
        assert facts.keys() == _NAMES | _FACTS | {"model", "encode_s"}
        assert facts["file"] == photo
        assert facts["output"] == f"out/{photo[0]}.dlf"
        data = Path(facts["output"]).read_bytes()
        about = dlf_jax.info(data)
        assert (facts["bytes"], facts["bpp"]) == (len(data), about.bpp)
        assert (facts["width"], facts["height"], facts["rate"]) == (15, 10, 1)
        assert (facts["model"], facts["coder"]) == ("tiny", "range")
        assert facts["model_id"] == about.model_id and facts["encode_s"] > 0

    files = ["out/0.dlf", "out/1.dlf", "absent.dlf"]
    command = ("decompress", *files, "--model", tiny_model, "--json", "--best-effort")
    status, out, err = dlf(*command)
    assert (status, err) == (1, "")
    *done, failed = objects(out)
    assert failed == {
        "file": "absent.dlf",
        "error": "cannot read absent.dlf: No such file or directory",
    }
    for facts in done:
        wanted = {"model", "decode_s", "intact", "decoded"}
        assert facts.keys() == _NAMES | _FACTS | wanted
        assert (facts["intact"], facts["decoded"]) == (True, 1.0)
    assert [facts["output"] for facts in done] == [
        "out/0.decoded.png",
        "out/1.decoded.png",
    ]

    status, out, err = dlf("info", *files, "--json")
    assert (status, err) == (1, "")
    *done, failed = objects(out)
    assert failed["file"] == "absent.dlf" and len(done) == 2
    for facts in done:
        assert facts.keys() == {"file", "header_bytes"} | _FACTS
        assert facts["bytes"] == Path(facts["file"]).stat().st_size


def test_one_file_is_no_exception(dlf, photos, tiny_model):
    command = ("compress", "--model", tiny_model, "--json")
    status, out, err = dlf(*command, "0.png")
    assert (status, err) == (0, "")
    (facts,) = objects(out)
    assert facts["output"] == "0.dlf"
    status, out, err = dlf(*command, "0.png")
    assert (status, err) == (1, "")
    (failed,) = objects(out)
    assert failed["error"] == "0.dlf exists already: use --force to overwrite it"


def test_metrics_and_machine_are_further_keys(dlf, photos, tiny_model):
    command = ("compress", "0.png", "--model", tiny_model, "--json")
    status, out, _ = dlf(*command, "--metrics", "--verbose")
    (facts,) = objects(out)
    metrics = {"psnr", "ms_ssim", "lpips_alex"}
    wanted = _NAMES | _FACTS | _MACHINE | metrics | {"model", "encode_s"}
    assert status == 0 and facts.keys() == wanted
    assert facts["psnr"] > 0 and facts["ms_ssim"] is None  # too small an image
    assert facts["peak_bytes"] > 2**20 and facts["device"] == "cpu"


def test_errors_about_all_files_are_no_objects(dlf, photos):
    status, out, err = dlf("compress", *photos, "--model", "big", "--json")
    assert (status, out) == (2, "")
    assert err.startswith("dlf: no model 'big'") and err.count("\n") == 1


def test_names_of_any_bytes_are_escaped(dlf, tmp_path):
    path = tmp_path / "\udcff.dlf"
    path.write_bytes(pack(Header(b"abc", 0, 15, 10), b""))
    status, out, _ = dlf("info", path, "--json")
    assert status == 0
    (facts,) = objects(out)
    assert facts["file"].endswith("/\\udcff.dlf")


def test_numbers_that_are_not_finite_are_null():
    assert as_line({"psnr": float("inf"), "name": "x"}) == '{"psnr": null, "name": "x"}'


def test_every_key_is_documented(repository):
    text = (repository / "docs" / "commands.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    documented = set(re.findall(r"`(\w+)`", " ".join(cells)))
    metrics = {"psnr", "ms_ssim", "lpips_alex"}
    keys = _NAMES | _FACTS | _MACHINE | metrics
    keys |= {"header_bytes", "model", "encode_s", "decode_s", "intact", "decoded"}
    assert keys <= documented
