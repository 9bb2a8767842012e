"""Ctrl-C and SIGTERM end a program at once: one line, no traceback, no process left.

Python raises KeyboardInterrupt in the main thread between two instructions.  That is
minutes late while the main thread compiles a network, has no effect where a library
catches the exception, and crashes some libraries during their import.  Signals are
therefore left to a thread of their own, which prints the line, kills the child
processes, removes unfinished files, and ends the process.
"""

import atexit
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

# Signals that end a program, and the words that are printed.
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_CLEANING_S = 5.0  # longest time to remove unfinished files
_ERASE_LINE = "\r\x1b[K"
_END = 0  # no signal; to `_watch`, from a program that has ended

_cleaners: list[Callable[[], object]] = []
_ending = threading.RLock()  # held once cleaning begins
_all_heard = threading.Event()
_left_to_others = 0
_failed = False  # with an error already printed


def run(main: Callable[[], None]) -> None:
    """Runs a program; its exit status after a signal is 128 plus the signal number."""
    global _failed
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file opened would receive the output
            os.open(os.devnull, os.O_RDWR)
    # Signals that are ignored stay so, as after nohup.
    numbers = [n for n in _WORDS if signal.getsignal(n) is not signal.SIG_IGN]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, _nothing)
    # Both start now: Python 3.12 starts no thread once a program is at its end.
    due = threading.Event()
    cleaner = threading.Thread(target=_clean, args=(due,), daemon=True)
    cleaner.start()
    watching = reader, numbers, due, cleaner
    threading.Thread(target=_watch, args=watching, daemon=True).start()
    # Registered first, hence called last: from then on Python would die of signals.
    atexit.register(_ignore, numbers)
    try:
        main()
    except SystemExit as stop:
        _failed = bool(stop.code)
        raise
    finally:
        # After a signal, `_watch` ends the process instead, whatever the error here.
        os.write(writer, bytes([_END]))
        _all_heard.wait()


@contextlib.contextmanager
def cleaning(clean: Callable[[], object]) -> Iterator[None]:
    """Calls a function at the end of a block, even if a signal ends the program."""
    with _ending:  # blocks forever once cleaning has begun
        _cleaners.append(clean)
    try:
        yield
    finally:
        clean()
        with _ending:
            _cleaners.remove(clean)


def leave_next_signal(to_others: bool) -> None:
    """Leaves the next signal to a handler of the caller, or takes it back."""
    global _left_to_others
    _left_to_others = int(to_others)


def spare_children(function: Callable) -> object:
    """Returns the result of a function whose child processes ignore terminal signals.

    A terminal signals all processes of a program, and Python children would print
    tracebacks.
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

    Children of this process, such as the program of a codec, still receive signals.
    """
    for number in _WORDS:
        signal.signal(number, _nothing)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORDS)


def _kill_children() -> None:
    """Kills all descendants of this process; on Linux only."""
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
            # The name of the program, in brackets, may contain any bytes.
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):  # it has ended
        return None


def _ignore(numbers: list[int]) -> None:
    """Ignores signals, so that a finished program keeps its exit status."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


def _nothing(number: int, frame: object) -> None:
    """Handles signals in the main thread, where `_watch` acts on them instead."""


def _watch(
    reader: int, numbers: list[int], due: threading.Event, cleaner: threading.Thread
) -> None:
    """Waits for a signal and ends the process; runs in a thread of its own."""
    global _left_to_others
    while (number := os.read(reader, 1)[0]) not in numbers or _left_to_others:
        _left_to_others -= number in numbers
        if number == _END:
            _all_heard.set()
    line = f"dlf: {_WORDS[number]}\n"
    with contextlib.suppress(OSError):
        # Not through sys.stderr, whose lock the main thread may hold.
        if not _failed:
            os.write(2, (_ERASE_LINE * os.isatty(2) + line).encode())
        # Nothing else is printed after the line.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    _kill_children()
    due.set()
    cleaner.join(_CLEANING_S)
    _kill_children()  # the main thread may have started others in the meantime
    os._exit(128 + number)


def _clean(due: threading.Event) -> None:
    """Removes unfinished files when that is due; runs in a thread of its own."""
    due.wait()
    _ending.acquire()
    for clean in reversed(_cleaners):
        with contextlib.suppress(Exception):
            clean()
