"""Ctrl-C and SIGTERM end a program at once: one line, no traceback, no process left.

Python raises KeyboardInterrupt in its main thread between two instructions: minutes
later where that thread compiles a network, amid the imports of a library, and never
where something catches it.  Hence a thread of its own hears of a signal at once: it
says so, silences stderr, lets the main thread clean up for a moment, and then ends this
process with all that it started.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import NoReturn

# Signals that end a program, and what is said.
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_GRACE_S = 1.0
_ERASE_LINE = "\r\x1b[K"


class _Ending:
    """How far the end of this process is."""

    number: int | None = None  # the signal that it ends for
    unwinding = False  # whether the main thread knows
    late = False  # whether nothing is left to clean up
    left_to_others = 0  # signals to come for which it does not end
    first = threading.Lock()  # held for good by the thread that says so
    said = threading.Event()


def run(main: Callable[[], None]) -> None:
    """Runs a program, whose status after a signal is 128 and the number of that."""
    _listen()
    try:
        main()
    finally:
        if _Ending.number:
            _exit()
        _Ending.late = True


def leave_next_signal(to_others: bool) -> None:
    """Lets the handler of a caller act on the next signal instead, or no longer so."""
    _Ending.left_to_others = int(to_others)


def spare_children(function: Callable) -> object:
    """Result of a function whose child processes are not signalled with this one.

    A terminal signals all processes of a program: those would print tracebacks.
    """
    results, errors = [], []

    def work() -> None:
        if hasattr(signal, "pthread_sigmask"):  # child processes inherit the mask
            signal.pthread_sigmask(signal.SIG_BLOCK, _WORDS)
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def become_child() -> None:
    """Leaves signals to the parent, in a process that `spare_children` started.

    Its own children, such as a codec's program, are signalled as ever.
    """
    for number in _WORDS:
        signal.signal(number, lambda *_: None)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORDS)


def kill_children() -> None:
    """Ends all processes that this one started, and theirs; on Linux alone."""
    try:
        numbers = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return
    parents = {pid: _parent(pid) for pid in numbers}
    doomed = [os.getpid()]
    for one in doomed:
        doomed += [pid for pid, parent in parents.items() if parent == one]
    for pid in doomed[1:]:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:  # it has ended
            pass


def _parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program, in brackets, may hold any bytes.
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):  # it has ended
        return None


def _listen() -> None:
    """Starts to wait for signals that are not ignored, as after nohup."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed; a file with this number would receive what is printed
            os.open(os.devnull, os.O_RDWR)
    numbers = [n for n in _WORDS if signal.getsignal(n) is not signal.SIG_IGN]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, _unwind)
    threading.Thread(target=_watch, args=(reader, numbers), daemon=True).start()


def _watch(reader: int, numbers: list[int]) -> None:
    """Runs in a thread of its own."""
    while True:
        number = os.read(reader, 1)[0]
        if number not in numbers:
            continue
        if _Ending.left_to_others:
            _Ending.left_to_others -= 1
            continue
        _announce(number)
        if not _Ending.late:
            time.sleep(_GRACE_S)
        _exit()


def _unwind(number: int, frame: object) -> None:
    """Handles signals, in the main thread."""
    if _Ending.unwinding:
        return
    _Ending.unwinding = True
    _announce(number)
    if _Ending.late:
        _exit()
    raise KeyboardInterrupt


def _announce(number: int) -> None:
    """Says what happens, for the first of both threads, and lets nothing else say."""
    _Ending.number = _Ending.number or number
    if not _Ending.first.acquire(blocking=False):
        return
    line = f"dlf: {_WORDS[number]}\n"
    try:
        # Not through sys.stderr, whose lock the interrupted code may hold.
        os.write(2, (_ERASE_LINE * os.isatty(2) + line).encode())
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    except OSError:  # it is full
        pass
    _Ending.said.set()


def _exit() -> NoReturn:
    _Ending.said.wait(_GRACE_S)
    kill_children()
    os._exit(128 + _Ending.number)
