"""``dlf convert``: a checkpoint in, a folder out, and back."""

import zipfile

import numpy as np
import pytest

from dlf_jax.checkpoints.store import load_model
from tests.checkpoints.official import CONFIG, HEADS, random_state

HEAD_OPTIONS = ("--encoder-heads", HEADS.encoder, "--decoder-heads", HEADS.decoder)


@pytest.fixture(scope="module")
def state():
    return random_state(CONFIG, 0) | {"lmbda_idx": np.array(2, np.int32)}


@pytest.fixture
def folder(tmp_path, state, monkeypatch):
    """The current folder, with a checkpoint in it."""
    monkeypatch.chdir(tmp_path)
    np.savez("dlf.npz", **state)
    return tmp_path


def test_there_and_back(dlf, folder, state):
    status, out, err = dlf("convert", "dlf.npz", "-o", "model", *HEAD_OPTIONS)
    assert (status, err) == (0, "")
    model = load_model("model")
    assert model.config == CONFIG
    lines = out.splitlines()
    assert lines[:2] == ["model: DLF", f"fingerprint: {model.fingerprint.hex()}"]
    assert lines[2].startswith("parameters: ") and lines[2].endswith(" M for training")
    assert lines[3:] == ["left out: 1 arrays, training schedule"]
    status, out, _ = dlf("convert", "--to-official", "model", "-o", "back.npz")
    assert (status, out) == (
        0,
        f"back.npz: {len(state) - 1} arrays under official names\n",
    )
    with np.load("back.npz") as back:
        assert set(back.files) == state.keys() - {"lmbda_idx"}
        for name in back.files:
            np.testing.assert_array_equal(back[name], state[name])


def test_help(dlf):
    status, out, _ = dlf("convert", "--help")
    assert status == 0 and out.startswith("Usage: dlf convert ")


def test_parts(dlf, folder):
    for kind in ("titok", "vqgan"):
        np.savez(f"{kind}.npz", **random_state(CONFIG, 1, kind))
    arguments = ("titok.npz", "vqgan.npz", "-o", "parts", "--name", "start")
    status, out, _ = dlf("convert", *arguments, *HEAD_OPTIONS)
    first, second = out.splitlines()
    assert (status, first) == (0, "parts: TiTok and VQGAN")
    assert second.endswith(" M, for training to start from")
    status, _, err = dlf("compress", "dlf.npz", "--model", "parts")
    assert status == 2 and err.count("\n") == 1


def test_errors_are_one_line(dlf, folder, state):
    with zipfile.ZipFile("dlf.ckpt", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    np.savez(
        "less.npz", **{k: v for k, v in state.items() if k != "prior_fusion.ffn.1.bias"}
    )
    for arguments, message in (
        (("dlf.ckpt", "-o", "m"), "no intact PyTorch file"),
        (("absent.ckpt", "-o", "m"), "cannot read absent.ckpt"),
        (("less.npz", "-o", "m", *HEAD_OPTIONS), "lacks prior_fusion.ffn.1.bias"),
        (("dlf.npz", "-o", "."), "--force"),
        (("dlf.npz",), "Missing option"),
        (("--to-official", "absent", "-o", "x.npz"), "no model 'absent'"),
        (("--to-official", "a", "b", "-o", "x.npz"), "takes one folder"),
        (("--to-official", "dlf-nano", "-o", "x.ckpt"), "ends in .safetensors or .npz"),
    ):
        status, out, err = dlf("convert", *arguments)
        assert (status, out) == (2, "") and err.count("\n") == 1
        assert message in err
    assert sorted(path.name for path in folder.iterdir()) == [
        "dlf.ckpt",
        "dlf.npz",
        "less.npz",
    ]
