"""The page's worker in Node and in Chromium."""

import base64
import contextlib
import dataclasses
import functools
import http.server
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dlf_jax.browser.site import Server
from tests.browser.chromium import Page

_ASK = """(async () => {
  const start = performance.now();
  globalThis.answer = await new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage(request);
  });
  return (performance.now() - start) / 1e3;
})()"""
_READ = """JSON.stringify(answer, (_, value) => {
  if (!ArrayBuffer.isView(value)) return value;
  let text = "";
  for (const byte of value) text += String.fromCharCode(byte);
  return { base64: btoa(text) };
})"""
_WRITE = """globalThis.request = JSON.parse(%s, (_, value) =>
  value?.base64 === undefined
    ? value
    : Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0))); 0"""


@dataclasses.dataclass(frozen=True)
class Answer:
    """Result of a task, with its time in seconds and that of processors."""

    result: dict[str, Any]
    seconds: float
    cpu_seconds: float


class Host(Protocol):
    """A place where the worker runs."""

    def ask(self, task: str, **values: Any) -> Answer:
        """The worker's answer; arrays of uint8 become bytes."""

    def peak_mib(self) -> float:
        """Largest memory so far of the largest process."""


class Node:
    """The worker in Node, in one thread; a context manager.

    Args:
      site: folder of the page.
    """

    def __init__(self, site: Path):
        script = Path(__file__).with_name("node.mjs")
        self._process = subprocess.Popen(
            ["node", str(script), str(site)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Node":
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, task: str, **values: Any) -> Answer:
        """The worker's answer."""
        print(_packed(task, values), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline(), object_hook=_unpacked)
        return _checked(answer, answer["seconds"], answer["cpu"])

    def peak_mib(self) -> float:
        """Largest memory so far."""
        return _peak_mib([self._process.pid])


class Chromium:
    """The worker in a page.

    Args:
      page: has loaded a page of the site.
    """

    def __init__(self, page: Page):
        self._page = page
        page.value('globalThis.worker = new Worker("worker.js", {type: "module"}); 0')

    def ask(self, task: str, **values: Any) -> Answer:
        """The worker's answer."""
        self._page.value(_WRITE % json.dumps(_packed(task, values)))
        before = _cpu_seconds(_family(self._page.pid))
        seconds = self._page.value(_ASK)
        cpu_seconds = _cpu_seconds(_family(self._page.pid)) - before
        answer = json.loads(self._page.value(_READ), object_hook=_unpacked)
        return _checked(answer, seconds, cpu_seconds)

    def peak_mib(self) -> float:
        """Largest memory so far of the largest process, that of the page."""
        return _peak_mib(_family(self._page.pid))


@contextlib.contextmanager
def browser(
    site: Path, *, threads: bool, gpu: bool = False
) -> Iterator[tuple[Page, str]]:
    """A browser, and the address of the page.

    Args:
      site: folder of the page.
      threads: serves the page as ``dlf demo`` does, which allows threads; otherwise
        like static hosts.
      gpu: gives the browser a GPU, in software.
    """
    handler = functools.partial(_Quiet, directory=str(site))
    server = (
        Server(site, 0)
        if threads
        else http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    )
    with (
        server,
        tempfile.TemporaryDirectory() as folder,
        Page(Path(folder), gpu=gpu) as page,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield page, f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def pixels(image: np.ndarray) -> dict[str, Any]:
    """The values of the task ``encode`` for an RGB image."""
    height, width, _ = image.shape
    rgba = np.pad(image, ((0, 0), (0, 0), (0, 1)), constant_values=255)
    return {"rgba": rgba.tobytes(), "width": width, "height": height}


def picture(result: dict[str, Any]) -> np.ndarray:
    """The RGB image of a result."""
    rgba = np.frombuffer(result["rgba"], np.uint8)
    return rgba.reshape(result["height"], result["width"], 4)[..., :3]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Prints nothing."""


def _packed(task: str, values: dict[str, Any]) -> str:
    def default(value: bytes) -> dict[str, str]:
        return {"base64": base64.b64encode(value).decode()}

    return json.dumps({"id": 0, "task": task, **values}, default=default)


def _unpacked(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["base64"]) if "base64" in value else value


def _checked(answer: dict[str, Any], seconds: float, cpu_seconds: float) -> Answer:
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return Answer(answer["result"], seconds, cpu_seconds)


def _family(pid: int) -> list[int]:
    """A process and its descendants."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1])
    found = [pid]
    for parent in found:
        found += [child for child, of in parents.items() if of == parent]
    return found


def _cpu_seconds(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _peak_mib(pids: list[int]) -> float:
    peaks = [0]
    for pid in pids:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            peaks += [int(line.split()[1]) for line in lines if "VmHWM" in line]
    return max(peaks) / 1024
