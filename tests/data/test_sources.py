"""Every kind of source gives the bytes of image files by index."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from array_record.python.array_record_module import ArrayRecordWriter

from dlf_jax.data.sources import open_source
from dlf_jax.errors import UserError
from tests.pictures import noise, png


def _png(seed: int) -> bytes:
    return png(noise(9, 7, seed=seed))


def test_folders_are_listed_by_path(folders):
    a, b = folders
    source = open_source(f"{a},folder:{b}")
    names = [Path(source.name(i)).name for i in range(len(source))]
    assert names == [f"{i}.png" for i in (0, 2, 4, 6, 1, 3, 5, 7)]
    assert source[5] == (b / "3.png").read_bytes()


def test_links_to_folders_are_followed_and_nothing_comes_twice(tmp_path):
    below, elsewhere = tmp_path / "root" / "b" / "c", tmp_path / "elsewhere"
    below.mkdir(parents=True)
    elsewhere.mkdir()
    for path in (
        below / "1.png",
        tmp_path / "root" / "b" / "2.png",
        elsewhere / "3.png",
    ):
        path.write_bytes(_png(0))
    (tmp_path / "root" / "a").symlink_to(elsewhere)
    (tmp_path / "root" / "b" / "again").symlink_to(elsewhere)
    (elsewhere / "up").symlink_to(tmp_path / "root")
    source = open_source(str(tmp_path / "root"))
    names = [
        str(Path(source.name(i)).relative_to(tmp_path)) for i in range(len(source))
    ]
    assert names == ["root/a/3.png", "root/b/2.png", "root/b/c/1.png"]


def test_array_records_are_image_files(tmp_path):
    for shard in range(2):
        writer = ArrayRecordWriter(str(tmp_path / f"{shard}.rec"), "group_size:1")
        for i in range(3):
            writer.write(_png(3 * shard + i))
        writer.close()
    source = open_source(f"array_record:{tmp_path}/*.rec")
    contents = [source[i] for i in range(len(source))]
    assert contents == [_png(i) for i in range(6)]
    assert source.name(4) == f"{tmp_path}/*.rec#4"


def test_a_damaged_record_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "a.rec"
    writer = ArrayRecordWriter(str(path), "group_size:1")
    for seed in range(3):
        writer.write(_png(seed))
    writer.close()
    data = bytearray(path.read_bytes())
    data[data.index(_png(1)) + 50] ^= 1
    path.write_bytes(data)
    source = open_source(f"array_record:{path}")
    assert source[0] == _png(0) and source[2] == _png(2)
    with pytest.raises(UserError, match="a.rec#1 cannot be read"):
        source[1]


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("", "name folders or datasets with --config.data"),
        ("/nowhere", "/nowhere is not a folder of photos"),
        ("folder:/nowhere", "^/nowhere is not a folder of photos"),
        ("array_record:/nowhere/*", "no file is named /nowhere/"),
        ("array_record:{empty}/short", "short is not array_record .*64KB"),
        ("{empty}", "no photos in /"),
    ],
)
def test_what_cannot_be_opened_is_said(specification, message, tmp_path):
    (tmp_path / "short").write_bytes(bytes(100))
    with pytest.raises(UserError, match=message):
        open_source(specification.format(empty=tmp_path))


def test_tfds_is_optional(monkeypatch):
    for name in ("tensorflow_datasets", "tensorflow_datasets.public_api"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r'pip install "\.\[tfds\]"'):
        open_source("tfds:clic")


def test_tfds_that_does_not_load_is_one_line(tmp_path, monkeypatch):
    package = ModuleType("tensorflow_datasets")
    package.__path__ = [str(tmp_path)]
    (tmp_path / "public_api.py").write_text("raise Exception('gencode 6, runtime 5')")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", package)
    monkeypatch.delitem(sys.modules, "tensorflow_datasets.public_api", raising=False)
    with pytest.raises(UserError, match=r"not load \(gencode 6, runtime 5\): install"):
        open_source("tfds:clic")
