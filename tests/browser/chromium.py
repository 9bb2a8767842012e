"""A page in headless Chromium, driven through its DevTools protocol over pipes."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SOFTWARE_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
_TIMEOUT_S = 120


def find_chromium() -> str | None:
    """Path of the program, or None."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Page:
    """A new browser with one page; a context manager.

    Args:
      folder: for the profile and for downloads, empty.
      width, height: of the page, in CSS pixels.
      gpu: gives the browser a GPU, in software.
    """

    def __init__(
        self, folder: Path, width: int = 900, height: int = 1200, *, gpu: bool = False
    ):
        (folder / "profile").mkdir()
        (folder / "downloads").mkdir()
        self.downloads = folder / "downloads"
        read_by_browser, self._out = os.pipe()
        self._in, written_by_browser = os.pipe()
        self._process = subprocess.Popen(
            [
                *(
                    "bash",
                    "-c",
                    f'exec "$@" 3<&{read_by_browser} 4>&{written_by_browser}',
                ),
                *("bash", find_chromium()),
                "--headless=new",
                "--no-sandbox",  # for root
                *(_SOFTWARE_GPU if gpu else ("--disable-gpu",)),
                "--hide-scrollbars",
                "--disable-dev-shm-usage",
                "--remote-debugging-pipe",
                f"--user-data-dir={folder / 'profile'}",
                f"--window-size={width},{height}",
            ],
            pass_fds=(read_by_browser, written_by_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_by_browser)
        os.close(written_by_browser)
        self._buffer, self._count, self._session = b"", 0, None
        self.errors: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call(
            "Target.attachToTarget", targetId=target, flatten=True
        )["sessionId"]
        self._call("Runtime.enable")
        self._call("Page.enable")
        self.resize(width, height)

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    @property
    def pid(self) -> int:
        """The browser's process, the parent of all its others."""
        return self._process.pid

    def open(self, url: str) -> None:
        """Starts to load a page."""
        self._call("Page.navigate", url=url)

    def resize(self, width: int, height: int) -> None:
        """Changes the size of the page, in CSS pixels."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def allow_downloads(self) -> None:
        """Saves downloads to `downloads`."""
        session, self._session = self._session, None
        path = str(self.downloads)
        self._call("Browser.setDownloadBehavior", behavior="allow", downloadPath=path)
        self._session = session

    def value(self, expression: str) -> Any:
        """The JSON value of an expression, or of the promise that it gives."""
        result = self._call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in result:
            raise AssertionError(json.dumps(result["exceptionDetails"]))
        return result["result"].get("value")

    def wait(self, expression: str) -> Any:
        """The first true value of an expression."""
        end = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < end:
            if found := self.value(expression):
                return found
            time.sleep(0.1)
        raise AssertionError(f"{expression} stays false; errors: {self.errors}")

    def choose_file(self, selector: str, path: Path) -> None:
        """Chooses a file in a file input."""
        found = self._call(
            "Runtime.evaluate", expression=f"document.querySelector({selector!r})"
        )
        self._call(
            "DOM.setFileInputFiles",
            files=[str(path.resolve())],
            objectId=found["result"]["objectId"],
        )

    def press(self, key: str, code: int) -> None:
        """Presses a key."""
        for kind in ("rawKeyDown", "keyUp"):
            self._call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
            )

    def screenshot(self, path: Path) -> None:
        """Writes the whole page as a PNG."""
        shot = self._call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True
        )
        path.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **params: Any) -> dict:
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._next()
            if reply.get("id") == self._count:
                if "error" in reply:
                    raise AssertionError(f"{method}: {reply['error']}")
                return reply["result"]
            if reply.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(reply["params"]))

    def _next(self) -> dict:
        while b"\0" not in self._buffer:
            if not select.select([self._in], [], [], _TIMEOUT_S)[0]:
                raise AssertionError("the browser does not answer")
            chunk = os.read(self._in, 1 << 16)
            if not chunk:
                raise AssertionError("the browser has ended")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)
