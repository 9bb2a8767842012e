"""The real loop on a tiny codec: logs, resuming, chaining stages, exporting."""

import importlib.util
import json
import os
import signal

import jax
import numpy as np
import pytest
from PIL import Image

from dlf_jax.checkpoints.store import load_model
from dlf_jax.errors import UserError
from dlf_jax.models.variants import VARIANTS
from dlf_jax.training import checkpointing, loop
from dlf_jax.training.export import export
from dlf_jax.training.stages import VQGAN_CODEBOOK, path_names


@pytest.fixture
def photos(tmp_path):
    """A folder of noise pictures, two of them held out."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(40):
        pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def make_config(repository, photos, tiny_config, lpips_params, monkeypatch):
    """Shipped settings, cut down to the tiny codec."""
    monkeypatch.setitem(VARIANTS, "dlf-nano", tiny_config)
    monkeypatch.setattr(loop, "load_lpips_params", lambda net: lpips_params)
    path = repository / "configs" / "dlf.py"
    spec = importlib.util.spec_from_file_location("shipped_config", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def make(stage, **overrides):
        config = module.get_config(f"preset=nano,stage={stage}")
        with config.unlocked():
            config.loss.lpips_channel_divisor = 32
        config.data = str(photos)
        config.crop.size = 16
        config.batch_size = 2
        config.lmbda = (2.0, 1.0)
        config.steps, config.revive_every = 4, 3
        config.loss.lpips_crop = 16
        config.loss.decode_crop = 8
        config.loss.lpips_alex = 0.0  # needs 64 pixels
        config.log_every = 2
        config.validation_photos = 2
        config.update(overrides)
        return config

    return make


def _log(workdir):
    return [json.loads(s) for s in (workdir / "metrics.jsonl").read_text().splitlines()]


def test_resumed_run_equals_an_uninterrupted_one(make_config, tmp_path, capsys):
    whole = loop.train(make_config("vqgan"), tmp_path / "a")
    assert int(whole.step) == 4

    loss = [entry["loss"] for entry in _log(tmp_path / "a") if "loss" in entry]
    assert len(loss) == 2 and np.isfinite(loss).all()
    assert any("val/loss" in entry for entry in _log(tmp_path / "a"))

    # The same schedule, interrupted after two steps.
    interrupted = make_config("vqgan", log_every=1)
    train_batches = loop.train_batches

    def stopping_batches(*args, **kwargs):
        for i, batch in enumerate(train_batches(*args, **kwargs)):
            if i == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    loop.train_batches = stopping_batches
    try:
        stopped = loop.train(interrupted, tmp_path / "b")
    finally:
        loop.train_batches = train_batches
    assert int(stopped.step) == 2
    assert "goes on from here" in capsys.readouterr().out
    resumed = loop.train(interrupted, tmp_path / "b")
    assert "resuming at step 2" in capsys.readouterr().out
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)

    with pytest.raises(UserError, match="does not fit"):
        loop.train(make_config("vqgan", ema_decay=0.0), tmp_path / "b")


def test_signal_while_logging_still_saves(make_config, tmp_path, monkeypatch):
    mean_metrics = loop.mean_metrics

    def signalling(metrics):
        monkeypatch.setattr(loop, "mean_metrics", mean_metrics)
        os.kill(os.getpid(), signal.SIGTERM)
        return mean_metrics(metrics)

    monkeypatch.setattr(loop, "mean_metrics", signalling)
    assert int(loop.train(make_config("vqgan"), tmp_path).step) == 3
    assert checkpointing.Checkpoints(tmp_path).latest() == 3


@pytest.mark.slow
def test_joint_stage_starts_from_the_vqgan(make_config, tmp_path, capsys):
    first = loop.train(make_config("vqgan", steps=1), tmp_path / "vqgan")
    config = make_config("align", steps=1, init_from=str(tmp_path / "vqgan"))
    state = loop.train(config, tmp_path / "align")
    donor, own = path_names(first.ema), path_names(state.params)
    assert f"took over {len(donor)} arrays" in capsys.readouterr().out
    for path, value in donor.items():
        # Of the VQGAN, this stage trains the codes that it mixes, and nothing else.
        frozen = path != VQGAN_CODEBOOK
        assert np.array_equal(own[path], value) == frozen, path
    assert export(tmp_path / "align", tmp_path / "model") == 1
    assert load_model(tmp_path / "model").params.keys() == state.params.keys()


def test_divergence_stops_the_run(make_config, tmp_path, lpips_params, monkeypatch):
    broken = jax.tree.map(lambda x: x * np.nan, lpips_params)
    monkeypatch.setattr(loop, "load_lpips_params", lambda net: broken)
    with pytest.raises(FloatingPointError, match="loss is nan at step 2"):
        loop.train(make_config("vqgan"), tmp_path)
    assert checkpointing.Checkpoints(tmp_path).latest() is None


def test_every_rate_point_needs_a_weight(make_config, tmp_path):
    config = make_config("align", lmbda=(3.0, 2.0, 1.0))
    with pytest.raises(UserError, match="lmbda must have 2 values"):
        loop.train(config, tmp_path)


def test_starting_from_nothing_is_an_error(make_config, tmp_path):
    config = make_config("vqgan", init_from=str(tmp_path / "absent"))
    with pytest.raises(UserError, match="not the --workdir of a training run"):
        loop.train(config, tmp_path / "run")
    with pytest.raises(UserError, match="not a folder"):
        loop.train(make_config("vqgan", data="/nowhere"), tmp_path / "run2")


def test_config_refuses_unknown_keys_and_options(make_config):
    config = make_config("pixel")
    with pytest.raises(AttributeError):
        config.learnign_rate = 1.0
    with pytest.raises(KeyError):
        make_config("adversarial")
