"""Ctrl-C and SIGTERM, at any moment: one line, a status, and nobody left."""

import os
import signal
import textwrap

import pytest

from dlf_jax import interruption
from tests.sessions import end, running, start_session

_START = """
import atexit, hashlib, os, signal, subprocess, sys, threading, time
from dlf_jax import interruption

def ready():
    print("ready", flush=True)
"""


@pytest.fixture
def start(tmp_path):
    """Starts a program in a process group of its own, as a shell does."""
    started = []

    def start(*arguments, **options):
        started.append(start_session(*arguments, folder=tmp_path, **options))
        return started[-1]

    yield start
    for process in started:
        end(process)


def _ended(process, status, word):
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (status, f"dlf: {word}\n")
    assert running(process) == []


_PROGRAMS = {
    "waiting": "ready(); time.sleep(60)",
    # Python's own handlers wait for the end of this call.
    "calculating": "ready(); hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)",
    "stubborn": """
    ready()
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
    """,
    "with a child": "ready(); subprocess.run(['sleep', '60'])",
    "with children that are spared": """
    work = "import time; print('ready', flush=True); time.sleep(60)"
    work = [sys.executable, "-c", work]
    interruption.spare_children(lambda: subprocess.Popen(work)).wait()
    """,
    "with threads": """
    threading.Thread(target=time.sleep, args=(60,)).start()
    ready()
    time.sleep(60)
    """,
    "at its end": "atexit.register(lambda: (ready(), time.sleep(60)))",
    "whose stderr is closed": "os.close(2); ready(); time.sleep(60)",
}


def _program(body):
    main = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return f"{_START}\ndef main():\n{main}\n\ninterruption.run(main)"


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
@pytest.mark.parametrize("kind", _PROGRAMS)
def test_whatever_a_program_does(start, kind, number, status, word):
    process = start("-c", _program(_PROGRAMS[kind]))
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, number)
    if "closed" in kind:
        process.communicate(timeout=60)
        assert process.returncode == status
    else:
        _ended(process, status, word)


def test_unfinished_files_are_removed(start, tmp_path):
    body = """
os.mkdir("new")
with interruption.cleaning(lambda: os.rmdir("new")):
    with interruption.cleaning(lambda: 1 / 0):
        with interruption.cleaning(lambda: os.unlink("new/temporary")):
            open("new/temporary", "w").close()
            ready()
            time.sleep(60)
"""
    process = start("-c", _program(body))
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _ended(process, 130, "interrupted")
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_ignores_the_signal_goes_on(start):
    """Such as one that nohup or a script has put into the background."""
    process = start(
        "-c", _program("ready(); time.sleep(1); print('done')"), ignored=True
    )
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=60) == ("done\n", "")
    assert process.returncode == 0


def test_a_signal_can_be_left_to_others_once(start):
    body = """
interruption.leave_next_signal(to_others=True)
heard = []  # printing in a handler may meet another print
before = signal.signal(signal.SIGINT, lambda *_: heard.append(True))
ready()
while not heard:
    time.sleep(0.01)
print("mine", flush=True)
signal.signal(signal.SIGINT, before)
ready()
time.sleep(60)
"""
    process = start("-c", _program(body))
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "mine\n"
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    _ended(process, 130, "interrupted")


def test_errors_and_statuses_pass(start):
    process = start("-c", _program("sys.exit(7)"))
    assert process.communicate() == ("", "") and process.returncode == 7
    process = start("-c", _program("raise ValueError('x')"))
    assert "ValueError: x" in process.communicate()[1] and process.returncode == 1


def test_cleaning_without_a_signal():
    calls = []
    with interruption.cleaning(lambda: calls.append(1)):
        assert calls == []
    with pytest.raises(ValueError, match="x"):
        with interruption.cleaning(lambda: calls.append(2)):
            raise ValueError("x")
    assert calls == [1, 2]
