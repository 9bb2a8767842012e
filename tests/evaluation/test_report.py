"""The folder of a report, and the page in a real browser."""

import base64
import html
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from dlf_jax.evaluation.codecs import parse
from dlf_jax.evaluation.outputs import write_outputs
from dlf_jax.evaluation.published import published_curves
from dlf_jax.evaluation.report import CROP
from dlf_jax.evaluation.runner import evaluate
from tests.evaluation.conftest import smooth

METRICS = ["psnr"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A folder with the report of two codecs on two photos, and the originals."""
    folder = tmp_path_factory.mktemp("report")
    images = [smooth(340, 400), smooth(200, 180, seed=1)]
    paths = [folder / "<!--<script>&.png", folder / "two.png"]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    rows = evaluate(paths, [parse("webp"), parse("jpeg")], METRICS)
    curves = published_curves("kodak")
    write_outputs(folder, rows, METRICS, anchor="jpeg", published=curves)
    return folder, images


def _page(report) -> str:
    return (report[0] / "report.html").read_text(encoding="utf-8")


def _data(report) -> dict:
    text = re.search(r"^const DATA = (.*);$", _page(report), re.MULTILINE)[1]
    return json.loads(text)


def _pixels(url: str) -> np.ndarray:
    data = base64.b64decode(url.removeprefix("data:image/webp;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_files_of_a_report(report):
    names = {path.name for path in report[0].iterdir()}
    plots = {f"{name}.{end}" for name in METRICS for end in ("png", "svg")}
    assert {"results.csv", "results.json", "table.md", "report.html", *plots} <= names
    results = json.loads((report[0] / "results.json").read_text())
    assert [line["codec"] for line in results["means"]] == ["webp"] * 3 + ["jpeg"] * 3
    assert set(results["versions"]) == {"webp", "jpeg"}
    (line,) = results["bd_rates"]
    assert (line["codec"], line["metric"]) == ("webp", "psnr")
    assert (line["percent"] is None) == bool(line["note"])


def test_the_page_needs_nothing_else(report):
    page = _page(report)
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!#)", page)
    assert "http" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)
    assert page.count("</script>") == 1
    assert page.count("<svg") == len(METRICS)
    assert "published, not measured here" not in html.unescape(page).split("<svg")[0]


def test_crops_are_the_middle_without_loss(report):
    data = _data(report)
    assert data["codecs"] == ["webp", "jpeg"]
    big, small = (_pixels(image["original"]["picture"]) for image in data["images"])
    top, left = (340 - CROP) // 2, (400 - CROP) // 2
    want = report[1][0][top : top + CROP, left : left + CROP]
    np.testing.assert_array_equal(big, want)
    np.testing.assert_array_equal(small, report[1][1])
    for image in data["images"]:
        for files in image["files"]:
            assert [file["bpp"] for file in files] == sorted(f["bpp"] for f in files)


_PROBE = """
<script>
const found = {pictures: []};
const drag = (value) => {
  $("slider").value = value;
  $("slider").dispatchEvent(new Event("input"));
  return getComputedStyle($("above")).clipPath;
};
const choose = (id, index) => {
  $(id).selectedIndex = index;
  $(id).dispatchEvent(new Event("change"));
};
addEventListener("load", async () => {
  found.start = getComputedStyle($("above")).clipPath;
  found.dragged = drag(20);
  found.line = $("line").style.left;
  for (let i = 0; i < DATA.images.length; i++) {
    for (let side = 0; side < 3; side++) {
      choose("image", i); choose("left", side); choose("rate", i);
      do await new Promise((done) => setTimeout(done, 20));
      while (!$("below").complete);
      found.pictures.push([$("below").naturalWidth, $("left-caption").textContent]);
    }
  }
  const sheet = document.createElement("pre");
  sheet.id = "found";
  sheet.textContent = JSON.stringify(found);
  document.body.append(sheet);
});
</script>
"""


@pytest.mark.slow
def test_the_slider_in_a_browser(report):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    probed = report[0] / "probed.html"
    probed.write_text(_page(report).replace("</html>", _PROBE + "</html>"))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--virtual-time-budget=20000", probed.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    sheet = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert sheet, done.stderr
    found = json.loads(html.unescape(sheet[1]))
    assert found["start"] == "inset(0px 0px 0px 50%)"
    assert found["dragged"] == "inset(0px 0px 0px 20%)"
    assert found["line"] == "20%"
    widths, captions = zip(*found["pictures"], strict=True)
    assert widths == (CROP,) * 3 + (180,) * 3
    assert [caption.split(" ")[0] for caption in captions] == [
        "webp",
        "jpeg",
        "original",
    ] * 2
    # Of JPEG, the file whose rate is nearest to the chosen one.
    data = _data(report)
    files = data["images"][0]["files"][1]
    nearest = min(files, key=lambda f: abs(np.log(f["bpp"] / data["rates"][0])))
    rate = f"{nearest['bpp']:.4f} bpp, {nearest['bytes']} bytes"
    assert captions[1] == f"jpeg @ {nearest['setting']}: {rate}"
