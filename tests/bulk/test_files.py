"""Names of outputs, and files that appear whole or not at all."""

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


def test_matches_are_sorted_and_nothing_is_an_error(tmp_path):
    for name in ("b.png", "a.png", "sub/c.png", "d.txt"):
        files.write(f"{tmp_path}/{name}", b"1")
    found = files.matches(f"{tmp_path}/**.png")
    assert found == [f"{tmp_path}/{n}" for n in ("a.png", "b.png", "sub/c.png")]
    assert files.listed(f"{tmp_path}/*.webp") == []
    with pytest.raises(UserError, match="there are no files"):
        files.matches(f"{tmp_path}/*.webp")
    with pytest.raises(UserError, match="cannot look for nowhere://"):
        files.matches("nowhere://bucket/*.png")


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    files.write(f"{tmp_path}/deep/er/a.bin", b"\x00\x01")
    assert files.read(f"{tmp_path}/deep/er/a.bin") == b"\x00\x01"

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(files.FileSystems, "rename", fail)
    with pytest.raises(UserError, match=r"cannot write .*b.bin: disk full"):
        files.write(f"{tmp_path}/b.bin", b"1")
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]
    with pytest.raises(UserError, match="cannot read .*b.bin"):
        files.read(f"{tmp_path}/b.bin")


def test_compressed_files_are_not_unpacked(tmp_path):
    files.write(f"{tmp_path}/a.gz", b"no gzip")
    assert files.read(f"{tmp_path}/a.gz") == b"no gzip"
