"""Search for photos in folders."""

import importlib
import os

import pytest

from dlf_jax.data.folders import files_in, photos_in
from dlf_jax.data.sources import open_source
from dlf_jax.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Folder with five photos and files that only resemble photos."""
    root = tmp_path / "p"
    for name in (
        *("b.png", "A.JPG", "sub/deep/c.TiFf", "sub/d[1].webp", "notes.txt", "png"),
        *("._b.png", ".DS_Store", ".thumbnails/b.png", "Thumbs.db", ".png"),
        *("__MACOSX/._b.png", "__MACOSX/b.png", "@eaDir/b.png/SYNOPHOTO_THUMB_XL.jpg"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    (root / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")
    (root / "folder.png").mkdir()
    os.mkfifo(root / "fifo.png")
    (root / "gone.png").symlink_to("nowhere.png")
    (root / "round").symlink_to(".")
    return root


command = importlib.import_module("dlf_jax.cli.evaluate")

_PHOTOS = ["A.JPG", "b.png", "caf\udce9.png", "sub/d[1].webp", "sub/deep/c.TiFf"]


def _names(paths, folder):
    return [os.path.relpath(path, folder) for path in paths]


def test_photos_in_a_folder(folder):
    assert _names(photos_in(folder), folder) == _PHOTOS
    assert _names(files_in(folder, {".txt"}), folder) == ["notes.txt"]


def test_a_hidden_folder_can_be_asked_for(folder):
    assert _names(photos_in(folder / ".thumbnails"), folder) == [".thumbnails/b.png"]


def test_a_link_is_a_photo_and_links_to_folders_are_followed_once(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "linked.png").symlink_to(folder / "b.png")
    (other / "one").symlink_to(folder / "sub")
    (other / "two").symlink_to(folder / "sub")
    assert _names(photos_in(other), other) == [
        "linked.png",
        "one/d[1].webp",
        "one/deep/c.TiFf",
    ]


def test_training_and_evaluation_take_the_same(folder):
    source = open_source(str(folder))
    assert [source.name(i) for i in range(len(source))] == [
        str(folder / name) for name in _PHOTOS
    ]
    found = command._image_files([folder], None)
    assert _names(found, folder) == _PHOTOS


def test_plots_of_an_earlier_evaluation_are_no_photos(folder):
    found = command._image_files([folder], folder / "sub" / "deep")
    assert _names(found, folder) == _PHOTOS[:-1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_named(folder):
    (folder / "sub").chmod(0)
    with pytest.raises(UserError, match="cannot list .*sub: Permission denied"):
        photos_in(folder)
    (folder / "sub").chmod(0o755)
