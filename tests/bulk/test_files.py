"""Names of outputs, and files that appear whole or not at all."""

import os
from types import SimpleNamespace

import pytest

pytest.importorskip("apache_beam")

from dlf_jax.bulk import files
from dlf_jax.bulk.pipeline import output_of
from dlf_jax.errors import UserError


@pytest.mark.parametrize(
    ("path", "pattern", "name"),
    [
        ("/in/a/b.png", "/in/**.png", "a/b.png"),
        ("/in/a/b.png", "/in/a/b.png", "b.png"),
        ("/in/a/b.png", "/in/a/?.png", "b.png"),
        ("/in/a/b.png", "/in/[ab]/*.png", "a/b.png"),
        ("/in/a/b.png", "/in/a*/b.png", "a/b.png"),
        ("gs://bucket/a/b.png", "gs://bucket/**", "a/b.png"),
        ("in/b.png", "in/*", "b.png"),
        ("b.png", "*.png", "b.png"),
    ],
)
def test_names_start_behind_the_folder_of_the_pattern(path, pattern, name):
    assert files.relative(path, pattern) == name


def test_outputs_of_equal_stems_are_apart():
    outputs = {
        output_of(f"/in/{name}", "/in/*", "/out", ".dlf") for name in ("a.png", "a.jpg")
    }
    assert outputs == {"/out/a.png.dlf", "/out/a.jpg.dlf"}


def test_a_match_is_below_the_folder_of_its_pattern():
    with pytest.raises(ValueError, match="is not in /in/"):
        files.relative("/elsewhere/a.png", "/in/*")


_PNG = frozenset({".png"})


@pytest.fixture
def tree(tmp_path):
    """Files in folders with names of all kinds; returns a function that lists them."""
    root = tmp_path / "in[1]"
    for name in (
        *("b.png", "a.PNG", "sub/c.png", "d.txt", "a[1]*?.png", "back\\slash.png"),
        *(os.fsdecode(b"caf\xe9.png"), "x*/y.png", "._b.png", ".hidden/e.png"),
        *("__MACOSX/b.png", "folder.png/f.png"),
    ):
        files.write(f"{root}/{name}", b"1")
    os.mkfifo(root / "fifo.png")
    (tmp_path / "in1").mkdir()
    (tmp_path / "in1" / "b.png").write_bytes(b"of another folder")

    def names(pattern):
        found = files.matches(f"{root}{pattern}", _PNG)
        assert all(path.startswith(f"{root}/") for path in found)
        return [path.removeprefix(f"{root}/") for path in found]

    return names


_TOP = ["a[1]*?.png", "b.png", "back\\slash.png", "caf\udce9.png"]
_BELOW = ["folder.png/f.png", "sub/c.png", "x*/y.png"]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("", ["a.PNG", *_TOP, *_BELOW]),
        ("/", ["a.PNG", *_TOP, *_BELOW]),
        ("/**.png", [*_TOP, *_BELOW]),
        ("/*.png", _TOP),
        ("/*/?.png", _BELOW),
        ("/[ab].*", ["a.PNG", "b.png"]),
        ("/a[1]*?.png", ["a[1]*?.png"]),
        ("/x*/*", ["x*/y.png"]),
        ("/*.txt", ["d.txt"]),
        ("/d.txt", ["d.txt"]),
        ("/._b.png", ["._b.png"]),
        ("/.hidden/*", [".hidden/e.png"]),
        ("/.*/*.png", [".hidden/e.png"]),
    ],
)
def test_patterns_files_and_folders(tree, pattern, wanted):
    assert tree(pattern) == sorted(wanted)


def test_the_current_folder(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "in[1]" / "sub")
    for pattern, name in ((".", "./c.png"), ("./", "./c.png"), ("*.png", "c.png")):
        assert files.matches(pattern, _PNG) == [name]
        assert files.relative(name, pattern) == "c.png"


def test_nothing_is_an_error(tmp_path):
    for pattern in (f"{tmp_path}", f"{tmp_path}/*.webp", f"{tmp_path}/none/*"):
        assert files.listed(pattern) == []
        with pytest.raises(UserError, match="there are no files"):
            files.matches(pattern, _PNG)
    with pytest.raises(UserError, match="cannot look for nowhere://"):
        files.matches("nowhere://bucket/*.png", _PNG)


def test_a_folder_of_a_bucket_is_one_of_photos(monkeypatch):
    there = [f"gs://b/p/{name}" for name in ("a.png", "._a.png", "n.txt", "s/b.PNG")]

    def match(patterns):
        found = [SimpleNamespace(path=p) for p in there if patterns == ["gs://b/p/**"]]
        return [SimpleNamespace(metadata_list=found)]

    monkeypatch.setattr(files.FileSystems, "match", match)
    assert files.matches("gs://b/p/", _PNG) == ["gs://b/p/a.png", "gs://b/p/s/b.PNG"]
    assert files.relative("gs://b/p/s/b.PNG", "gs://b/p/") == "s/b.PNG"


def test_outputs_are_listed_with_hidden_ones(tmp_path):
    names = [".a.dlf", "b[1].dlf", "c/*.dlf"]
    for name in names:
        files.write(f"{tmp_path}/out[1]/{name}", b"1")
    folder = f"{tmp_path}/out[1]"
    assert files.listed(f"{folder}/**.dlf") == [f"{folder}/{name}" for name in names]
    assert files.exists(f"{folder}/b[1].dlf") and not files.exists(f"{folder}/b1.dlf")


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    files.write(f"{tmp_path}/deep/er/a.bin", b"\x00\x01")
    assert files.read(f"{tmp_path}/deep/er/a.bin") == b"\x00\x01"

    def fail(*_):
        raise OSError(28, "disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match=r"cannot write .*b.bin: disk full"):
        files.write(f"{tmp_path}/b.bin", b"1")
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]
    with pytest.raises(UserError, match="cannot read .*b.bin"):
        files.read(f"{tmp_path}/b.bin")


def test_compressed_files_are_not_unpacked(tmp_path):
    files.write(f"{tmp_path}/a.gz", b"no gzip")
    assert files.read(f"{tmp_path}/a.gz") == b"no gzip"
