"""``dlf export --onnx``: a model in, four files out."""

import json

import pytest

from dlf_jax.checkpoints.store import stored_fingerprint

pytest.importorskip("onnx")
networks = pytest.importorskip("dlf_jax.browser.networks")

_FILES = ["analyze.onnx", "model.json", "synthesize.onnx", "tables.safetensors"]


def test_a_model_becomes_four_files(dlf_process, tiny_model, tmp_path):
    folder = tmp_path / "out"

    def dlf(*arguments):
        done = dlf_process(
            "export", "--onnx", tiny_model, folder, *arguments, cwd=tmp_path
        )
        return done.returncode, done.stdout, done.stderr

    status, out, err = dlf()
    assert (status, err) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == _FILES
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        str(folder / name) for name in _FILES if name.endswith(".onnx")
    ]
    description = json.loads((folder / "model.json").read_text())
    assert description["fingerprint"] == stored_fingerprint(tiny_model).hex()
    status, _, err = dlf()
    assert status == 2 and "--force" in err and err.count("\n") == 1
    assert dlf("--force")[0] == 0


def test_an_unknown_model_is_one_line(dlf, tmp_path):
    status, out, err = dlf("export", "--onnx", "nothing", tmp_path / "out")
    assert (status, out) == (2, "") and err.startswith("dlf: no model 'nothing'")


def test_a_network_without_conversion_is_one_line(
    dlf, tiny_model, tmp_path, monkeypatch
):
    def fail(*_):
        raise NotImplementedError("no rule for the primitive sort")

    monkeypatch.setattr(networks, "_converted", fail)
    status, out, err = dlf("export", "--onnx", tiny_model, tmp_path / "out")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "cannot be converted to ONNX (no rule for the primitive" in err
    assert not (tmp_path / "out").exists()


def test_options_of_checkpoints_are_rejected(dlf, tiny_model, tmp_path):
    arguments = "export", "--onnx", "--best", tiny_model, tmp_path / "out"
    status, out, err = dlf(*arguments)
    assert (status, out) == (2, "") and err.startswith("dlf: --best is an option of ")
    assert not (tmp_path / "out").exists()
