"""The page in Chromium: photos in, files out, and back."""

import base64
import io
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dlf_jax
from dlf_jax.browser.runtime import read_runtime
from dlf_jax.browser.site import Server, write_site
from dlf_jax.codec.container import parse
from dlf_jax.errors import UserError
from tests.browser.chromium import Page, find_chromium

pytest.importorskip("onnx")
pytestmark = [
    pytest.mark.slow,  # a network is converted
    pytest.mark.skipif(not find_chromium(), reason="no Chromium on this machine"),
    pytest.mark.usefixtures("symbolic_sizes"),
]

_SIZE = 300, 200
_STATUS = "document.querySelector('#status')?.textContent"
_ERROR = "document.querySelector('#error')?.textContent"
_RIGHT = 39


@pytest.fixture
def url(tmp_path):
    """Address of the page with the bundled model."""
    try:
        read_runtime()
    except UserError as error:
        pytest.skip(str(error))
    write_site("dlf-nano", tmp_path / "site")
    with Server(tmp_path / "site", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.url
        server.shutdown()


def canvas(page: Page, name: str) -> np.ndarray:
    """Pixels of a canvas of the page."""
    data = page.value(f"document.querySelector('#{name}').toDataURL('image/png')")
    png = base64.b64decode(data.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def downloaded(page: Page, link: str) -> Path:
    """The file that a link of the page saves."""
    before = set(page.downloads.iterdir())
    page.value(f"document.querySelector('#{link}').click()")
    while True:
        new = [p for p in page.downloads.iterdir() if p not in before]
        if new and not new[0].name.endswith(".crdownload"):
            return new[0]
        time.sleep(0.1)


def test_photo_to_file_and_back(url, tmp_path):
    skimage = pytest.importorskip("skimage.data")
    photo = Image.fromarray(skimage.astronaut()).crop((80, 0, 480, 267)).resize(_SIZE)
    photo.save(tmp_path / "photo.png")
    (tmp_path / "text.png").write_text("no photo")
    (tmp_path / "run").mkdir()
    with Page(tmp_path / "run") as page:
        page.allow_downloads()
        page.open(url)
        page.wait(f"{_STATUS} === 'Ready.'")
        page.go_offline()

        page.choose_file("#file", tmp_path / "photo.png")
        page.wait(f"{_STATUS}?.startsWith('Done')")
        np.testing.assert_array_equal(canvas(page, "original"), np.asarray(photo))
        decoded = canvas(page, "decoded")
        page.value("document.querySelector('#slider').focus()")
        page.press("ArrowRight", _RIGHT)
        share = "document.querySelector('#stage').style.getPropertyValue('--share')"
        assert page.value(share) == "51%"

        file = downloaded(page, "save")
        data = file.read_bytes()
        assert file.name == "photo.dlf"
        facts = page.value("document.querySelector('#facts').innerText")
        assert f"{len(data)} bytes" in facts
        header = parse(data).header
        assert (header.width, header.height, header.rate) == (*_SIZE, 2)
        codec = dlf_jax.load("dlf-nano")
        assert np.abs(codec.decompress(data).astype(int) - decoded).max() <= 2
        _, expected = codec.encode(np.asarray(photo), 2)
        _, code = codec.decode(data)
        assert (code.tokens != expected.tokens).sum() <= 1  # ties
        assert (code.symbols != expected.symbols).sum() <= 4

        page.choose_file("#file", file)
        page.wait("document.querySelector('#original').hidden")
        np.testing.assert_array_equal(canvas(page, "decoded"), decoded)

        page.choose_file("#file", tmp_path / "text.png")
        page.wait(f"{_ERROR} === 'This browser cannot read text.png as a photo.'")
        (tmp_path / "damaged.dlf").write_bytes(data[:-1])
        page.choose_file("#file", tmp_path / "damaged.dlf")
        page.wait(f"{_ERROR} === 'The file is truncated or damaged.'")

        page.choose_file("#file", tmp_path / "photo.png")
        page.wait(f"{_STATUS}?.startsWith('Done')")
        page.value("document.querySelector('#rates input').click()")
        page.wait("document.querySelector('#facts').innerText.includes('Rate\\n0')")
        for width in (320, 1200):
            page.resize(width, 800)
            assert page.value("document.documentElement.scrollWidth") <= width
        assert page.errors == []
