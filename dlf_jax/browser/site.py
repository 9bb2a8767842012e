"""The page as a folder of static files, and a server for it on this machine."""

import functools
import http.server
import importlib.resources
import sys
from pathlib import Path
from typing import Any

from dlf_jax.browser.networks import write_networks
from dlf_jax.browser.runtime import read_runtime
from dlf_jax.browser.tables import write_tables
from dlf_jax.errors import UserError

HOST = "127.0.0.1"


def write_site(name_or_dir: Path | str, directory: Path) -> None:
    """Writes the page with a model and the runtime of its networks.

    Args:
      name_or_dir: bundled model or model directory.
      directory: created if needed; files of an earlier page in it are replaced.

    Raises:
      UserError: the model, onnx or the runtime is missing or damaged.
    """
    runtime = read_runtime()  # fails before the long part
    (directory / "model").mkdir(parents=True, exist_ok=True)
    (directory / "ort").mkdir(exist_ok=True)
    write_networks(name_or_dir, directory / "model")
    write_tables(name_or_dir, directory / "model")
    for name, content in runtime.items():
        (directory / "ort" / name).write_bytes(content)
    for file in (importlib.resources.files("dlf_jax") / "web").iterdir():
        if file.is_file():
            (directory / file.name).write_bytes(file.read_bytes())


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder on the loopback interface.

    Args:
      directory: the folder.
      port: 0 for any free one.

    Raises:
      UserError: the port is taken, or not allowed.
    """

    daemon_threads = True

    def __init__(self, directory: Path, port: int):
        handler = functools.partial(_Handler, directory=str(directory))
        try:
            super().__init__((HOST, port), handler)
        except OSError as error:
            raise UserError(
                f"port {port} is not available: choose another --port"
            ) from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints nothing if the browser closed the connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self.server_address[1]}/"


class _Handler(http.server.SimpleHTTPRequestHandler):
    # Modules and WebAssembly must have these types, which not every system knows.
    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".css": "text/css",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".json": "application/json",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        """Adds the headers with which browsers allow threads."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Prints nothing."""
