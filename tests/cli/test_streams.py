"""``-`` is stdin or stdout, and nothing else gets into the data."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

import dlf_jax
from dlf_jax.cli.streams import Input, Output
from dlf_jax.codec.container import Header, pack
from dlf_jax.data.image_io import decode_image, read_image
from dlf_jax.errors import UserError
from tests.processes import start_python


@pytest.fixture
def piped(dlf, tmp_path):
    """Runs a command between two files: (status, what stdout got, reports, stderr)."""

    def run(*arguments, stdin=b"", stdout=None):
        (tmp_path / "stdin").write_bytes(stdin)
        target = stdout or tmp_path / "stdout"
        kept = [os.dup(0), os.dup(1)]
        with open(tmp_path / "stdin", "rb") as source, open(target, "wb") as sink:
            os.dup2(source.fileno(), 0)
            os.dup2(sink.fileno(), 1)
        try:
            status, out, err = dlf(*arguments)
        finally:
            for descriptor, copy in enumerate(kept):
                os.dup2(copy, descriptor)
                os.close(copy)
        data = b"" if stdout else (tmp_path / "stdout").read_bytes()
        return status, data, out, err

    return run


@pytest.fixture
def data(photo, tiny_model):
    """The photo, compressed."""
    return dlf_jax.compress(read_image(photo), model=tiny_model)


@pytest.mark.parametrize(
    "output", [(), ("-o", "-"), ("-o", "/dev/stdout"), ("-o", "/dev/fd/1")]
)
def test_compress_from_stdin_to_stdout(piped, photo, tiny_model, data, output):
    arguments = ("compress", "-", *output, "--model", tiny_model)
    status, written, out, err = piped(*arguments, stdin=photo.read_bytes())
    assert (status, out, written) == (0, "", data)
    name = output[1] if output[1:] and output[1] != "-" else "stdout"
    assert err.startswith(f"{name}: {len(data)} bytes, ") and err.count("\n") == 2


@pytest.mark.parametrize("output", [(), ("-o", "-"), ("-o", "/dev/stdout")])
def test_decompress_from_stdin_to_png_on_stdout(piped, tiny_model, data, output):
    arguments = ("decompress", "-", *output, "--model", tiny_model)
    status, written, out, err = piped(*arguments, stdin=data)
    assert (status, out) == (0, "") and err.count("\n") == 2
    assert written.startswith(b"\x89PNG")
    wanted = dlf_jax.decompress(data, model=tiny_model)
    np.testing.assert_array_equal(decode_image(written, "stdout"), wanted)


def test_named_files_keep_their_reports(piped, photo, tiny_model, tmp_path):
    output = tmp_path / "out.dlf"
    arguments = ("compress", "-", "-o", output, "--model", tiny_model)
    status, written, out, err = piped(*arguments, stdin=photo.read_bytes())
    assert (status, written, err) == (0, b"", "")
    assert out.startswith(f"{output}: ")


def test_a_file_may_be_called_dash(dlf, photo, tiny_model, data, monkeypatch):
    monkeypatch.chdir(photo.parent)
    assert dlf("compress", photo, "-o", "./-", "--model", tiny_model)[0] == 0
    assert (photo.parent / "-").read_bytes() == data
    assert dlf("info", "./-")[1].startswith("image  15x10\n")


def test_info_of_stdin(piped, data):
    status, _, out, err = piped("info", "-", stdin=data)
    assert (status, err) == (0, "") and out.startswith("image  15x10\n")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("compress", "stdin is empty: an image is needed"),
        ("decompress", "stdin: the file is empty: copy it again"),
        ("info", "stdin: the file is empty: copy it again"),
    ],
)
def test_nothing_on_stdin_is_one_line(piped, command, message):
    assert piped(command, "-") == (2, b"", "", f"dlf: {message}\n")


def test_a_full_disk_behind_stdout_is_one_line(piped, photo, tiny_model):
    arguments = ("compress", photo, "-o", "-", "--model", tiny_model)
    status, _, out, err = piped(*arguments, stdout="/dev/full")
    assert (status, out) == (2, "")
    assert err == "dlf: cannot write to stdout: No space left on device\n"


def test_a_file_is_complete_though_nobody_can_be_told(
    dlf, photo, tiny_model, data, monkeypatch
):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        status, _, err = dlf("compress", photo, "--model", tiny_model)
    assert status == 2
    assert err == (
        f"dlf: {photo.with_suffix('.dlf')} is complete, but the report cannot be "
        "written: No space left on device\n"
    )
    assert photo.with_suffix(".dlf").read_bytes() == data


def test_a_pipe_with_a_name_gets_png(dlf, photo, tiny_model, data):
    file, pipe, read = photo.with_name("x.dlf"), photo.with_name("pipe"), []
    file.write_bytes(data)
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    status, out, err = dlf("decompress", file, "-o", pipe, "--model", tiny_model)
    reader.join()
    assert (status, out) == (0, "") and err.startswith(f"{pipe}: 15x10")
    assert read[0].startswith(b"\x89PNG")


def test_reports_keep_out_of_the_data(tmp_path, monkeypatch):
    """Even where stdout and stderr are the same file as the output."""
    path = tmp_path / "data"
    with open(path, "wb") as data, open(path, "a") as out, open(path, "a") as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        output = Output("stdout", data.fileno())
        output.write(b"data", force=False)
        output.report("report")
        output.note("note")
        elsewhere = open(tmp_path / "stderr", "w+")
        monkeypatch.setattr(sys, "stderr", elsewhere)
        output.report("report")
        output.note("note")
    assert path.read_bytes() == b"data"
    with elsewhere:
        elsewhere.seek(0)
        assert elsewhere.read() == "report\ndlf: note\n"


def test_terminals_are_no_place_for_data():
    terminal, other_end = os.openpty()
    try:
        with pytest.raises(UserError, match="stdin is a terminal: name a file, or"):
            Input("stdin", terminal).read()
        with pytest.raises(UserError, match="stdout is a terminal: name a file with"):
            Output("stdout", terminal).check(force=False)
        Output("stdout", terminal).check(force=True)
    finally:
        os.close(terminal)
        os.close(other_end)


@pytest.fixture
def start(tmp_path):
    """Starts ``dlf info FILE``, which imports little."""
    (tmp_path / "x.dlf").write_bytes(pack(Header(b"abc", 0, 15, 10), b""))

    def start(*arguments, **options):
        arguments = ("-m", "dlf_jax", *arguments)
        return start_python(*arguments, cwd=tmp_path, **{"stdout": None} | options)

    return start


@pytest.mark.parametrize("arguments", [("info", "x.dlf"), ("--help",), ("--version",)])
def test_a_full_stdout_is_one_line_for_every_command(start, arguments):
    with open("/dev/full", "w") as full:
        process = start(*arguments, stdout=full)
    _, err = process.communicate()
    assert process.returncode == 2
    assert err == "dlf: cannot write to stdout: No space left on device\n"


def test_a_closed_pipe_ends_quietly(start):
    reader, writer = os.pipe()
    os.close(reader)
    process = start("info", "x.dlf", stdout=writer)
    os.close(writer)
    _, err = process.communicate()
    assert process.returncode in (1, 141) and err == ""


def test_closed_streams_are_one_line(start):
    command = 'exec "$@" -'
    process = start("info", "-", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    process.communicate()
    shell = ["sh", "-c", f"{command} <&-", "sh", *process.args[:-1]]
    done = subprocess.run(shell, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "dlf: stdin is closed: name a file\n")


def test_the_home_directory_behind_an_equals_sign(
    dlf, photo, tiny_model, data, monkeypatch
):
    monkeypatch.setenv("HOME", str(photo.parent))
    monkeypatch.chdir(photo.parent)
    (photo.parent / "model").symlink_to(tiny_model)
    arguments = ("--output=~/x.dlf", "--model=~/model")
    assert dlf("compress", photo, *arguments)[0] == 0
    assert (photo.parent / "x.dlf").read_bytes() == data
    arguments = ("--codecs=dlf:~/model@0", "--metrics=psnr", "--images=~/photo.png")
    assert dlf("evaluate", *arguments, "--out=~/report", "--processes=1")[0] == 0
    assert (photo.parent / "report" / "results.json").is_file()
    # A name that begins with it is one in a folder.
    Image.open(photo).save("~x.png")
    assert dlf("compress", "./~x.png", "-o", "./~y", "--model", tiny_model)[0] == 0
    assert (photo.parent / "~y").read_bytes() == data
