"""Programs in sessions of their own, which get signals as from a terminal."""

import os
import signal
import subprocess
import time
from pathlib import Path

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
    command = ["ps", "-A", "-o", "pgid=,stat=,args="]
    until = time.monotonic() + 5.0
    while True:
        lines = subprocess.run(command, capture_output=True, text=True).stdout
        found = [line.split(maxsplit=2) for line in lines.splitlines()]
        left = [a for g, s, *a in found if int(g) == process.pid and s[0] != "Z"]
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


def end(process: subprocess.Popen) -> None:
    """Kills whatever is left of a session."""
    if running(process):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
