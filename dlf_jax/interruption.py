"""Ctrl-C and SIGTERM end a program at once: one line, no traceback, no process left.

Python raises KeyboardInterrupt in its main thread between two instructions: minutes
later where that thread compiles a network, never where something catches it, and amid
the imports of libraries, some of which crash.  Hence the main thread is left alone.  A
thread of its own hears of the signal, says so, ends what this process has started,
removes unfinished files, and ends this process.
"""

import atexit
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

# Signals that end a program, and what is said.
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_CLEANING_S = 5.0  # at most
_ERASE_LINE = "\r\x1b[K"

_cleaners: list[Callable[[], object]] = []
_ending = threading.RLock()  # held from the moment at which cleaning begins
_heard = threading.Event()
_left_to_others = 0
_failed = False  # and has said why


def run(main: Callable[[], None]) -> None:
    """Runs a program, whose status after a signal is 128 and the number of that."""
    global _failed
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed; a file with this number would receive what is printed
            os.open(os.devnull, os.O_RDWR)
    # Not those that are ignored, as after nohup.
    numbers = [n for n in _WORDS if signal.getsignal(n) is not signal.SIG_IGN]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, _nothing)
    threading.Thread(target=_watch, args=(reader, numbers), daemon=True).start()
    # Called last: from then on Python stops to handle signals and would die of them.
    atexit.register(_ignore, numbers)
    try:
        main()
    except SystemExit as stop:
        _failed = bool(stop.code)
        raise
    finally:
        if _heard.is_set():  # whatever it ended with, such as a child that is killed
            threading.Event().wait()


@contextlib.contextmanager
def cleaning(clean: Callable[[], object]) -> Iterator[None]:
    """Calls a function at the end of a block, also where a signal ends the program."""
    with _ending:  # no more work that needs it once cleaning has begun
        _cleaners.append(clean)
    try:
        yield
    finally:
        clean()
        with _ending:
            _cleaners.remove(clean)


def leave_next_signal(to_others: bool) -> None:
    """Lets the handler of a caller act on the next signal instead, or no longer so."""
    global _left_to_others
    _left_to_others = int(to_others)


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
        signal.signal(number, _nothing)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORDS)


def _kill_children() -> None:
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


def _ignore(numbers: list[int]) -> None:
    """Lets a program that has ended end with its own status."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


def _nothing(number: int, frame: object) -> None:
    """Handles signals in the main thread; `_watch` has heard of them."""


def _watch(reader: int, numbers: list[int]) -> None:
    """Ends the process after a signal; runs in a thread of its own."""
    global _left_to_others
    while (number := os.read(reader, 1)[0]) not in numbers or _left_to_others:
        _left_to_others -= number in numbers
    _heard.set()
    line = f"dlf: {_WORDS[number]}\n"
    with contextlib.suppress(OSError):
        # Not through sys.stderr, whose lock the main thread may hold.
        if not _failed:
            os.write(2, (_ERASE_LINE * os.isatty(2) + line).encode())
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # that was all
    _kill_children()
    cleaner = threading.Thread(target=_clean, daemon=True)
    cleaner.start()
    cleaner.join(_CLEANING_S)
    os._exit(128 + number)


def _clean() -> None:
    _ending.acquire()
    for clean in reversed(_cleaners):
        with contextlib.suppress(Exception):
            clean()
