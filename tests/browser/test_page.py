"""The page in Chromium: photos in, files out, and back."""

import base64
import contextlib
import functools
import http.server
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
]

_SIZE = 300, 200
_STATUS = "document.querySelector('#status')?.textContent"
_ERROR = "document.querySelector('#error')?.textContent"
_RIGHT = 39


@pytest.fixture(scope="module")
def site(symbolic_sizes, tmp_path_factory):
    """The page with the bundled model."""
    try:
        read_runtime()
    except UserError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("site")
    write_site("dlf-nano", folder)
    return folder


@contextlib.contextmanager
def running(server: http.server.HTTPServer):
    """Lets a server work in a thread."""
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def page(tmp_path):
    """A browser."""
    (tmp_path / "browser").mkdir()
    with Page(tmp_path / "browser") as page:
        yield page
        assert page.errors == []


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


def drop(page: Page, name: str, data: bytes) -> None:
    """Drops a file on the page."""
    text = base64.b64encode(data).decode()
    page.value(
        f"""(() => {{
          const bytes = Uint8Array.from(atob("{text}"), (c) => c.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], "{name}"));
          document.dispatchEvent(new DragEvent("drop", {{ dataTransfer }}));
        }})()"""
    )


def photo_file(folder: Path) -> Path:
    """A small photo as a file."""
    data = pytest.importorskip("skimage.data")
    photo = Image.fromarray(data.astronaut()).crop((80, 0, 480, 267)).resize(_SIZE)
    photo.save(folder / "photo.png")
    return folder / "photo.png"


def test_photo_to_file_and_back(site, page, tmp_path):
    photo = np.asarray(Image.open(photo_file(tmp_path)))
    (tmp_path / "text.png").write_text("no photo")
    with running(Server(site, 0)) as server:
        page.allow_downloads()
        page.open(server.url)
        page.wait(f"{_STATUS} === 'Ready.'")
    assert page.value("crossOriginIsolated")  # allows threads

    # The server has ended: nothing more is loaded.
    page.choose_file("#file", tmp_path / "photo.png")
    page.wait(f"{_STATUS}.startsWith('Done')")
    np.testing.assert_array_equal(canvas(page, "original"), photo)
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
    _, expected = codec.encode(photo, 2)
    _, code = codec.decode(data)
    assert (code.tokens != expected.tokens).sum() <= 1  # ties
    assert (code.symbols != expected.symbols).sum() <= 4

    drop(page, "photo.dlf", data)
    page.wait("document.querySelector('#original').hidden")
    np.testing.assert_array_equal(canvas(page, "decoded"), decoded)

    drop(page, "text.png", b"no photo")
    page.wait(f"{_ERROR} === 'This browser cannot read text.png as a photo.'")
    drop(page, "damaged.dlf", data[:-1])
    page.wait(f"{_ERROR} === 'The file is truncated or damaged.'")

    drop(page, "photo.png", (tmp_path / "photo.png").read_bytes())
    page.wait(f"{_STATUS}.startsWith('Done')")
    assert page.value("document.querySelector('#error').hidden")
    page.value("document.querySelector('#rates input').click()")
    page.wait("document.querySelector('#facts').innerText.includes('Rate\\n0')")
    for width in (320, 1200):
        page.resize(width, 800)
        assert page.value("document.documentElement.scrollWidth") <= width


def test_the_processor_computes_where_the_gpu_does_not(site, page, tmp_path):
    with running(Server(site, 0)) as server:
        page.open(f"{server.url}?device=webgpu")
        page.wait(f"{_STATUS} === 'Ready.'")
    page.choose_file("#file", photo_file(tmp_path))
    page.wait(f"{_STATUS}.startsWith('Done')")
    facts = page.value("document.querySelector('#facts').innerText")
    assert "Processor (WebAssembly)" in facts


def test_static_pages_open_again_without_a_server(site, page, tmp_path):
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(site)
    )
    static = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    url = f"http://localhost:{static.server_address[1]}/"
    with running(static):
        page.open(url)
        page.wait("navigator.serviceWorker?.ready.then(() => true)")
    assert not page.value("crossOriginIsolated")  # one thread
    page.open("about:blank")
    page.wait("location.href === 'about:blank'")
    page.open(url)
    page.wait(f"{_STATUS} === 'Ready.'")
    page.choose_file("#file", photo_file(tmp_path))
    page.wait(f"{_STATUS}.startsWith('Done')")
