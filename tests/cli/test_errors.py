"""Whatever a user gets wrong ends in one line on stderr, status 2, and no new file."""

import os

import pytest

from dlf_jax.codec.container import Header, pack

CUT = pack(Header(b"abc", 0, 15, 10), b"payload")[:-1]
UNKNOWN_MODEL = pack(Header(b"abc", 0, 15, 10), b"payload")


@pytest.fixture(autouse=True)
def folder(photo, monkeypatch):
    """The folder of the photo, with one file of every bad kind, is the current one."""
    monkeypatch.chdir(photo.parent)
    for name, data in (
        ("void.png", b""),
        ("text.png", b"hello"),
        ("short.png", photo.read_bytes()[:60]),
        ("empty.dlf", b""),
        ("foreign.dlf", b"\x89PNG\r\n\x1a\n and so on"),
        ("cut.dlf", CUT),
        ("header.dlf", CUT[:9]),
        ("changed.dlf", CUT + b"?"),
        ("unknown.dlf", UNKNOWN_MODEL),
        ("taken", b"here"),
    ):
        (photo.parent / name).write_bytes(data)
    for name in ("images", "images/photo.dlf", "damaged_model"):
        (photo.parent / name).mkdir()
    (photo.parent / "damaged_model" / "config.json").write_text("{")
    return photo.parent


CASES = {
    "nothing to do": (["compress"], "Missing argument"),
    "unknown command": (["shrink", "photo.png"], "No such command"),
    "unknown option": (["compress", "photo.png", "--fast"], "No such option"),
    "rate is no number": (["compress", "photo.png", "--rate", "low"], "not a valid"),
    "rate out of range": (["compress", "photo.png", "--rate", "9"], "0 to 1"),
    "rate above the last": (["compress", "photo.png", "--rate", "1.1"], "0 to 1"),
    "rate and size": (
        ["compress", "photo.png", "--rate", "1", "--target-bytes", "99"],
        "rate and target_bytes exclude each other",
    ),
    "size of nothing": (["compress", "photo.png", "--target-bytes", "0"], "above 0"),
    "size too small": (
        ["compress", "photo.png", "--target-bytes", "9"],
        "bytes at the lowest rate, not 9",
    ),
    "no such quality": (
        ["compress", "photo.png", "--target-psnr", "90"],
        "use a lower target",
    ),
    "image below a metric": (
        ["compress", "photo.png", "--target-lpips", "0.1"],
        "needs sides of 32 pixels",
    ),
    "raw without a rate": (
        ["decompress", "taken", "--raw", "--size", "15x10", "--model", "{model}"],
        "--raw needs --size, --rate and --model",
    ),
    "rate of a file": (["decompress", "cut.dlf", "--rate", "1"], "need --raw"),
    "best effort of a raw file": (
        ["decompress", "taken", "--raw", "--best-effort", "--size", "15x10"]
        + ["--rate", "1", "--model", "{model}"],
        "needs a file with a checksum",
    ),
    "no size": (["decompress", "taken", "--raw", "--size", "0x10"], "is no size"),
    "raw file of a larger image": (
        ["decompress", "empty.dlf", "--raw", "--size", "300x100"]
        + ["--rate", "1", "--model", "{model}"],
        "empty.dlf: the file is damaged: it is too short for its image",
    ),
    "absent image": (["compress", "absent.png"], "cannot read absent.png"),
    "empty image": (["compress", "void.png"], "void.png is empty"),
    "text as image": (["compress", "text.png"], "not an image"),
    "cut image": (["compress", "short.png"], "short.png is damaged"),
    "folder as image": (["compress", "images"], "cannot read images"),
    "dot as image": (["compress", "."], "cannot read ."),
    "file as image": (["compress", "taken"], "not an image"),
    "output exists": (["compress", "photo.png", "-o", "taken"], "--force"),
    "output is a folder": (["compress", "photo.png", "-o", "images"], "is a folder"),
    "no output folder": (["compress", "photo.png", "-o", "no/x.dlf"], "no folder no"),
    "absent file": (["decompress", "absent.dlf"], "cannot read absent.dlf"),
    "empty file": (["decompress", "empty.dlf"], "empty.dlf: the file is empty"),
    "foreign file": (["decompress", "foreign.dlf"], "not a DLF file"),
    "cut file": (["decompress", "cut.dlf"], "cut.dlf: the file is truncated"),
    "changed file": (["decompress", "changed.dlf"], "damaged"),
    "folder as file": (["decompress", "images"], "cannot read images"),
    "bad ending": (["decompress", "unknown.dlf", "-o", "x.xyz"], "use one of .png"),
    "image exists": (["decompress", "unknown.dlf", "-o", "photo.png"], "--force"),
    "unknown model": (["decompress", "unknown.dlf"], "needs model 616263"),
    "other model": (["decompress", "unknown.dlf", "--model", "{model}"], "616263"),
    "no such model": (["compress", "photo.png", "--model", "big"], "no model 'big'"),
    "damaged model": (["compress", "photo.png", "--model", "damaged_model"], "damaged"),
    "too many pixels": (["compress", "photo.png", "--max-megapixels", "1e-4"], "limit"),
    "no limit": (["compress", "photo.png", "--max-megapixels", "inf"], "finite"),
    "no number": (["compress", "photo.png", "--max-memory", "nan"], "finite"),
    "too much memory": (
        ["compress", "photo.png", "--model", "{model}", "--max-memory", "1e-5"],
        "the limit is 1e-05 GiB",
    ),
    "empty output": (["compress", "photo.png", "-o", ""], "the name is empty"),
    "empty input": (["info", ""], "the name is empty"),
    "empty folder": (["evaluate", "", "--codecs", "jpeg"], "the name is empty"),
    "cut header": (["decompress", "header.dlf", "--best-effort"], "damaged"),
    "info of nothing": (["info", "empty.dlf"], "empty.dlf: the file is empty"),
    "info of a cut file": (["info", "cut.dlf"], "truncated or damaged"),
    "no images": (
        ["evaluate", "images", "--codecs", "dlf:{model}"],
        "no images in images",
    ),
    "bad rate": (["evaluate", ".", "--codecs", "dlf:{model}@x"], "no setting 'x'"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_no_new_file(dlf, folder, tiny_model, case):
    arguments, message = CASES[case]
    if arguments[0] == "compress" and "--model" not in arguments:
        arguments = [*arguments, "--model", "{model}"]
    arguments = [a.replace("{model}", str(tiny_model)) for a in arguments]
    before = sorted(os.listdir(folder))
    status, out, err = dlf(*arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("dlf: ") and err.count("\n") == 1 and err.endswith("\n")
    assert message in err
    assert sorted(os.listdir(folder)) == before


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_unwritable_folder(dlf, photo, tiny_model):
    photo.parent.chmod(0o555)
    status, _, err = dlf("compress", photo, "--model", tiny_model)
    photo.parent.chmod(0o755)
    assert (status, err.count("\n")) == (2, 1)
    assert "no permission" in err


def test_a_real_process_ends_like_that(dlf_process, folder):
    done = dlf_process("decompress", "cut.dlf", cwd=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "dlf: cut.dlf: the file is truncated or damaged: copy it again, or decode what "
        "is left with `dlf decompress --best-effort`\n"
    )
