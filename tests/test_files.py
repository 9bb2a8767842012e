"""`dlf_jax.files`: whole files or none."""

import os
import stat
from pathlib import Path

import pytest
from etils import epath

from dlf_jax.errors import UserError
from dlf_jax.files import check_output, new_folder, replacing, write_file


def test_writing_replaces_only_when_told(tmp_path):
    path = tmp_path / "out"
    write_file(path, b"one")
    with pytest.raises(UserError, match="--force"):
        write_file(path, b"two")
    assert path.read_bytes() == b"one"
    write_file(path, b"two", overwrite=True)
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["out"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_interrupted_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "out", b"data")
    assert os.listdir(tmp_path) == []


def test_links_are_followed_and_devices_kept(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    write_file(tmp_path / "link", b"new", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    (tmp_path / "loop").symlink_to("loop")
    write_file(tmp_path / "loop", b"no target")
    write_file("/dev/null", b"gone")
    assert not os.path.isfile("/dev/null")


def test_impossible_outputs_are_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path, message in (
        (tmp_path, "is a folder"),
        (tmp_path / "absent" / "out", "no folder"),
        (tmp_path / "file" / "out", "no folder"),
        (tmp_path / ("x" * 300), "cannot write"),
    ):
        with pytest.raises(UserError, match=message):
            write_file(path, b"")
    assert os.listdir(tmp_path) == ["file"]


def test_impossible_folders_are_rejected(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for path, message in (
        (tmp_path / "full" / "file", "is a file already: name a folder"),
        (tmp_path / "full", "is not empty: use --force"),
        (tmp_path / "absent" / "new", "no folder"),
    ):
        with pytest.raises(UserError, match=message):
            check_output(path, overwrite=False, folder=True)
    check_output(tmp_path / "full", overwrite=True, folder=True)
    check_output(tmp_path / "empty", overwrite=False, folder=True)
    check_output(tmp_path / "new", overwrite=False, folder=True)


@pytest.mark.parametrize(
    "missing, message", [(os.R_OK, "no permission to read"), (os.W_OK, "to write")]
)
def test_folders_without_permission_are_rejected(
    tmp_path, monkeypatch, missing, message
):
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & missing)
    with pytest.raises(UserError, match=message):
        check_output(tmp_path, overwrite=True, folder=True)


@pytest.mark.parametrize("kind", [Path, epath.Path])
def test_a_block_that_fails_leaves_the_old_file(tmp_path, kind):
    path = kind(tmp_path) / "out"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == ["out"]
    assert path.read_bytes() == b"old"
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
    assert path.read_bytes() == b"new"


def test_new_folders_stay_only_with_files_in_them(tmp_path):
    with new_folder(tmp_path / "a" / "b" / "c"):
        assert (tmp_path / "a" / "b" / "c").is_dir()
    assert os.listdir(tmp_path) == []
    (tmp_path / "old").mkdir()
    with new_folder(tmp_path / "old" / "new"):
        pass
    assert os.listdir(tmp_path) == ["old"]
    with new_folder(tmp_path / "old" / "new" / "deep"):
        (tmp_path / "old" / "new" / "file").write_bytes(b"")
    assert os.listdir(tmp_path / "old" / "new") == ["file"]


def test_a_folder_that_cannot_be_created_leaves_no_parents(tmp_path):
    with pytest.raises(UserError, match="cannot create the folder"):
        with new_folder(tmp_path / "a" / ("x" * 300)):
            pass
    assert os.listdir(tmp_path) == []
