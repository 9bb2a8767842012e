"""Programs in sessions of their own, which get signals as from a terminal."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.processes import start_python

# Whoever starts the tests may ignore SIGINT, which processes inherit.
_LAUNCH = """
import os, signal, sys
handler, *arguments = sys.argv[1:]
signal.signal(signal.SIGINT, signal.Handlers[handler])
os.execv(sys.executable, [sys.executable, *arguments])
"""


def start_session(*arguments, folder, ignored=False) -> subprocess.Popen:
    """Starts Python.

    Args:
      arguments: of it.
      folder: the current one.
      ignored: ignore SIGINT.
    """
    handler = signal.SIG_IGN if ignored else signal.SIG_DFL
    return start_python(
        *("-c", _LAUNCH, handler.name, *arguments),
        cwd=folder,
        start_new_session=True,
    )


def await_handler(process: subprocess.Popen) -> None:
    """Waits until a program handles SIGTERM, which Python by itself does not."""
    handled = 1 << (signal.SIGTERM - 1)
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        if int(status.partition("SigCgt:")[2].split()[0], 16) & handled:
            return
        time.sleep(0.01)


def running(process: subprocess.Popen) -> list[str]:
    """Commands of the session that have not ended, seconds after a kill at the latest.

    On a busy machine, processes that were killed are seen a little longer.
    """
    until = time.monotonic() + 5.0
    while True:
        left = list(_commands(process.pid))
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


def _commands(group: int) -> Iterator[str]:
    """Yields the commands of a process group, without zombies."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            dead = process.status() == psutil.STATUS_ZOMBIE
            if os.getpgid(process.pid) == group and not dead:
                yield " ".join(process.cmdline())


def end(process: subprocess.Popen) -> None:
    """Kills whatever is left of a session."""
    if running(process):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
