"""The page as files, its server, and the files that npm fetches."""

import hashlib
import http.client
import re
import threading

import pytest

from dlf_jax.browser import runtime
from dlf_jax.browser.networks import ANALYSIS_FILE, SYNTHESIS_FILE
from dlf_jax.browser.site import Server
from dlf_jax.browser.tables import DESCRIPTION_FILE, TABLES_FILE
from dlf_jax.errors import UserError


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A cache with small files in place of the runtime's."""
    files = {name: name.encode() for name in runtime.FILES}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    monkeypatch.setattr(runtime, "FILES", digests)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_files_in_the_cache_are_read(cached):
    assert runtime.read_runtime(cached) == {n: n.encode() for n in runtime.FILES}


def test_a_damaged_file_is_an_error(cached):
    (cached / "ort.wasm.min.mjs").write_bytes(b"other")
    with pytest.raises(UserError, match="ort.wasm.min.mjs is damaged: delete"):
        runtime.read_runtime(cached)


def test_without_npm_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime.shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="npm is missing"):
        runtime.read_runtime(tmp_path)


def test_another_package_is_rejected(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho other > other.tgz\n")
    npm.chmod(0o755)
    monkeypatch.setattr(runtime.shutil, "which", lambda _: str(npm))
    with pytest.raises(UserError, match="another onnxruntime-web@"):
        runtime.read_runtime(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_npm_errors_are_one_line(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'no\nnetwork' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(runtime.shutil, "which", lambda _: str(npm))
    with pytest.raises(UserError, match="^npm cannot fetch .*: no network$"):
        runtime.read_runtime(tmp_path / "cache")


def test_the_server_sends_types_and_isolation(tmp_path):
    for name in ("index.html", "app.js", "ort.mjs", "ort.wasm"):
        (tmp_path / name).write_text(name)
    with Server(tmp_path, 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        host, port = server.server_address
        assert host == "127.0.0.1" and server.url == f"http://127.0.0.1:{port}/"
        kinds = {}
        for name in ("", "app.js", "ort.mjs", "ort.wasm", "nothing"):
            connection = http.client.HTTPConnection(host, port)
            connection.request("GET", f"/{name}")
            response = connection.getresponse()
            kinds[name] = response.status, response.headers["Content-Type"]
            assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
            connection.close()
        with pytest.raises(UserError, match=f"port {port} is not available"):
            Server(tmp_path, port)
        server.shutdown()
    assert kinds["app.js"] == kinds["ort.mjs"] == (200, "text/javascript")
    assert kinds["ort.wasm"] == (200, "application/wasm")
    assert kinds[""][0] == 200 and kinds["nothing"][0] == 404


def test_every_part_of_the_page_is_kept_for_offline_use(repository):
    web = repository / "dlf_jax" / "web"
    text = (web / "offline.js").read_text(encoding="utf-8")
    kept = re.findall(r'^  "(.+)",$', text, re.MULTILINE)
    parts = {file.name for file in web.iterdir() if file.is_file()}
    parts -= {"index.html", "offline.js", "package.json"}
    parts |= {f"ort/{name}" for name in runtime.FILES}
    models = (ANALYSIS_FILE, SYNTHESIS_FILE, DESCRIPTION_FILE, TABLES_FILE)
    parts |= {f"model/{name}" for name in models}
    assert set(kept) == parts | {"./"}


def test_every_part_of_the_page_exists(repository):
    web = repository / "dlf_jax" / "web"
    made = {f"ort/{name}" for name in runtime.FILES} | {"ort/", "model/"}
    for file in [*web.glob("*.js"), *web.glob("*.html")]:
        text = file.read_text(encoding="utf-8")
        for name in re.findall(r'(?:from |import\(|URL\()"\./([^"]+)"', text):
            assert (web / name).is_file() or name in made, f"{file.name}: {name}"
        for name in re.findall(r'(?:href|src)="([\w./]+)"', text):
            assert (web / name).is_file(), f"{file.name}: {name}"


def test_nothing_on_the_page_comes_from_elsewhere(repository):
    for file in (repository / "dlf_jax" / "web").iterdir():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"(?:src|href|import|fetch)\W+https?:", text), file.name
