"""``dlf demo``: the page as files, and served until a signal."""

import signal
import urllib.request

import pytest

from dlf_jax.browser.runtime import read_runtime
from dlf_jax.errors import UserError
from tests.processes import start_python

pytest.importorskip("onnx")


@pytest.fixture(scope="module", autouse=True)
def npm_files():
    """The files that npm fetches once."""
    try:
        read_runtime()
    except UserError as error:
        pytest.skip(str(error))


def test_export_writes_the_page(dlf_process, tiny_model, tmp_path):
    arguments = "demo", "--export", tmp_path / "site", "--model", tiny_model
    done = dlf_process(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{tmp_path / 'site'}: ")
    for name in ("index.html", "model/model.json", "ort/ort.wasm.min.mjs"):
        assert (tmp_path / "site" / name).is_file()
    done = dlf_process(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and "--force" in done.stderr


def test_the_page_is_served_until_the_end(tiny_model, tmp_path):
    arguments = "demo", "--port", "0", "--no-browser", "--model", tiny_model
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {"TMPDIR": str(folder)}
    with start_python(
        "-m", "dlf_jax", *arguments, cwd=tmp_path, env=environment
    ) as process:
        url = process.stdout.readline().split()[0]
        with urllib.request.urlopen(url) as page:
            assert b"<title>DLF" in page.read()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
    assert (process.returncode, err) == (128 + signal.SIGTERM, "dlf: terminated\n")
    assert list(folder.iterdir()) == []
