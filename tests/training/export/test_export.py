"""Checkpoints become model directories."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from etils import epath
from PIL import Image

from dlf_jax.checkpoints.store import load_model
from dlf_jax.errors import UserError
from dlf_jax.models.variants import VARIANTS
from dlf_jax.training.export.export import export
from dlf_jax.training.run import checkpointing
from dlf_jax.training.step.state import create_state


@pytest.fixture
def tmp_path(tmp_path):
    """The working directories are of orbax's kind."""
    return epath.Path(tmp_path)


_CROP = {"size": 16, "min_scale": 1.0, "flip": False}


@pytest.fixture
def make_run(tmp_path):
    """Working directory of a run with two parameters that inference needs."""

    def make(stage, *, use_ema=True, save=True, **settings):
        keys = ("batch_size", "loss", "lmbda", "optimizer", "seed")
        config = {"stage": stage, "model": {"variant": "dlf-nano"}, "crop": _CROP}
        config |= dict.fromkeys(keys, 1) | settings
        checkpointing.write_config(tmp_path, config)
        params = {
            "context": {"prior_vector": jnp.ones((4, 8))},
            "fusion": {"kernel": jnp.arange(3.0), "mask": jnp.array([0.0, -jnp.inf])},
            "vqgan": {"encoder": {"kernel": jnp.ones(2)}},
        }
        state = create_state(
            params, optax.sgd(1.0), trained=(), codebooks=(), use_ema=use_ema
        )
        state = state.replace(params=jax.tree.map(lambda x: x + 1.0, params))
        checkpoints = checkpointing.Checkpoints(tmp_path)
        if save:
            checkpoints.save(7, state, config=config, data={})
        checkpoints.close()
        return tmp_path

    return make


@pytest.mark.parametrize("use_ema", [True, False])
def test_model_has_the_average_of_what_inference_needs(make_run, tmp_path, use_ema):
    assert export(make_run("pixel", use_ema=use_ema), Path(tmp_path / "model")) == 7
    model = load_model(Path(tmp_path / "model"))
    assert model.name == "dlf-nano" and model.config == VARIANTS["dlf-nano"]
    assert (
        model.metadata["step"] == 7 and model.metadata["training"]["stage"] == "pixel"
    )
    assert set(model.params) == {"fusion"}
    expected = np.arange(3.0) + (0.0 if use_ema else 1.0)
    np.testing.assert_array_equal(model.params["fusion"]["kernel"], expected)
    assert model.params["fusion"]["mask"][1] == -np.inf


def test_the_model_has_the_sizes_of_the_run(make_run, tmp_path):
    sizes = {"variant": "dlf-nano", "detail_width": 128, "grid": None}
    export(make_run("pixel", model=sizes), Path(tmp_path / "model"))
    model = load_model(Path(tmp_path / "model"))
    wanted = dataclasses.replace(VARIANTS["dlf-nano"], detail_width=128)
    assert (model.name, model.config) == ("dlf-nano-custom", wanted)


def test_runs_of_earlier_versions_are_exported(make_run, tmp_path):
    loss = {"lpips": 1.0, "lpips_crop": 64, "lpips_images": 2}
    run = make_run("pixel", model="dlf-nano", loss=loss)
    export(run, Path(tmp_path / "model"))
    model = load_model(Path(tmp_path / "model"))
    assert (model.name, model.config) == ("dlf-nano", VARIANTS["dlf-nano"])
    renamed = {"lpips_vgg": 1.0, "perceptual_crop": 64, "perceptual_images": 2}
    assert model.metadata["training"]["loss"] == renamed


def test_only_stages_of_the_codec_make_a_model(make_run, tmp_path):
    with pytest.raises(UserError, match="makes no whole codec"):
        export(make_run("vqgan"), Path(tmp_path / "model"))


def test_settings_out_of_range_are_rejected(make_run, tmp_path):
    with pytest.raises(UserError, match="stage must be one of vqgan, .*, not 'best'"):
        export(make_run("best"), Path(tmp_path / "model"))
    with pytest.raises(
        UserError, match="model.variant must be one of .*, not 'dlf-xl'"
    ):
        export(make_run("pixel", model={"variant": "dlf-xl"}), Path(tmp_path / "model"))
    run = make_run(
        "pixel", crop=_CROP | {"size": 0}, seed=0, data="", max_undecodable=0.0
    )
    with pytest.raises(UserError, match="crop.size must be a whole number from 1 to"):
        export(run, Path(tmp_path / "model"), token_crops=1)
    assert not (tmp_path / "model").exists()


def test_a_directory_is_overwritten_only_when_told(make_run, tmp_path):
    workdir, model = make_run("pixel"), Path(tmp_path / "model")
    export(workdir, model)
    before = (model / "config.json").stat().st_mtime_ns
    with pytest.raises(UserError, match="--force"):
        export(workdir, model)
    assert (model / "config.json").stat().st_mtime_ns == before
    assert export(workdir, model, overwrite=True) == 7
    with pytest.raises(UserError, match="is a file already"):
        export(workdir, model / "config.json", overwrite=True)


def test_runs_without_checkpoint_are_named(make_run, tmp_path):
    with pytest.raises(UserError, match="no checkpoint yet"):
        export(make_run("pixel", save=False), Path(tmp_path / "model"))
    with pytest.raises(UserError, match="not the --workdir"):
        export(tmp_path / "absent", Path(tmp_path / "model"))


def test_tokens_are_counted_on_the_photos_of_the_run(make_run, tmp_path, monkeypatch):
    workdir = make_run("pixel", data=str(tmp_path / "photos"), max_undecodable=0.0)
    with pytest.raises(UserError, match="photos"):
        export(workdir, Path(tmp_path / "model"), token_crops=20)
    assert not (tmp_path / "model").exists()
    (tmp_path / "photos").mkdir()
    for i in range(8):
        Image.new("RGB", (20, 16), (i, 0, 0)).save(tmp_path / "photos" / f"{i}.png")
    model = VARIANTS["dlf-nano"]

    def count(params, config, batches, num_batches):
        assert config == model and num_batches == 2
        assert next(batches).shape == (16, 16, 16, 3)
        counts = np.zeros((model.num_tokens, model.codebook_size), int)
        counts[:, 3] = 1000
        return counts

    monkeypatch.setattr("dlf_jax.training.export.export.count_tokens", count)
    export(workdir, Path(tmp_path / "model"), token_crops=20)
    rows = load_model(Path(tmp_path / "model")).tokens
    assert len(rows) == model.num_tokens
    assert all(row.frequencies.argmax() == 3 for row in rows)
    export(workdir, Path(tmp_path / "fixed"))
    (row,) = load_model(Path(tmp_path / "fixed")).tokens
    assert len(set(row.frequencies.tolist())) == 1
