"""The real loop on a tiny codec: logs, resuming, chaining stages, exporting."""

import json
import os
import signal
from pathlib import Path

import jax
import numpy as np
import pytest
from etils import epath

from dlf_jax.checkpoints.convert import convert
from dlf_jax.checkpoints.store import load_donor, load_model
from dlf_jax.errors import UserError
from dlf_jax.paths import flatten
from dlf_jax.training.export.export import export
from dlf_jax.training.losses import table as loss_table
from dlf_jax.training.run import checkpointing, loop, plan
from dlf_jax.training.stages.task import VQGAN_CODEBOOK
from tests.checkpoints import official
from tests.pictures import noise, write_images
from tests.training import tiny


@pytest.fixture
def photos(tmp_path):
    """A folder of noise pictures, two of them held out."""
    return write_images(tmp_path / "photos", noise(40, 24, 24))


@pytest.fixture
def tmp_path(tmp_path):
    """The working directories are of orbax's kind."""
    return epath.Path(tmp_path)


@pytest.fixture
def make_config(photos, lpips_params, monkeypatch):
    """Shipped settings, cut down to the tiny codec."""
    monkeypatch.setattr(loss_table, "load_lpips_params", lambda net: lpips_params)
    monkeypatch.setattr(plan, "LossConfig", tiny.NarrowLoss)

    def make(stage, **overrides):
        config = tiny.shipped_config(stage)
        config.data = str(photos)
        config.update(overrides)
        return config

    return make


def _log(workdir):
    return [json.loads(s) for s in (workdir / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_resumed_run_equals_an_uninterrupted_one(
    make_config, tmp_path, capsys, monkeypatch
):
    whole = loop.train(make_config("vqgan"), tmp_path / "a")
    assert int(whole.step) == 4

    loss = [entry["loss"] for entry in _log(tmp_path / "a") if "loss" in entry]
    assert len(loss) == 2 and np.isfinite(loss).all()
    assert any("val/loss" in entry for entry in _log(tmp_path / "a"))

    # The same schedule, interrupted after two steps.
    interrupted = make_config("vqgan", log_every=1)
    train_batches = loop.train_batches

    class StoppingBatches:
        """The real batches; the second one comes with a signal."""

        def __init__(self, *args, **kwargs):
            self._batches, self._count = train_batches(*args, **kwargs), 0
            self.get_state = self._batches.get_state

        def __next__(self):
            self._count += 1
            if self._count == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return next(self._batches)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_batches", StoppingBatches)
        stopped = loop.train(interrupted, tmp_path / "b")
    assert int(stopped.step) == 2
    assert "the same command resumes" in capsys.readouterr().out
    resumed = loop.train(interrupted, tmp_path / "b")
    assert "resuming at step 2" in capsys.readouterr().out
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)

    with pytest.raises(UserError, match="started with ema_decay 0.999 and cannot"):
        loop.train(make_config("vqgan", ema_decay=0.0), tmp_path / "b")


@pytest.mark.slow
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
    one_step = {"steps": 1, "validation": {"photos": 0}}
    first = loop.train(make_config("vqgan", **one_step), tmp_path / "vqgan")
    config = make_config("align", init_from=str(tmp_path / "vqgan"), **one_step)
    state = loop.train(config, tmp_path / "align")
    donor, own = flatten(first.ema), flatten(state.params)
    assert f"took over {len(donor)} arrays" in capsys.readouterr().out
    for path, value in donor.items():
        # Of the VQGAN, this stage trains the codes that it mixes, and nothing else.
        frozen = path != VQGAN_CODEBOOK
        assert np.array_equal(own[path], value) == frozen, path
    # Runs of before donors were needed are resumed without them.
    config.init_from = ""
    assert int(loop.train(config, tmp_path / "align").step) == 1
    assert "resuming at step 1" in capsys.readouterr().out
    assert export(tmp_path / "align", Path(tmp_path / "model")) == 1
    params = load_model(Path(tmp_path / "model")).params
    assert {*params, "context"} == state.params.keys()


@pytest.mark.slow
def test_joint_stage_starts_from_official_parts(make_config, tmp_path, capsys):
    files = []
    for kind in ("titok", "vqgan"):
        state = official.random_state(official.CONFIG, 0, kind)
        files.append(Path(tmp_path / f"{kind}.npz"))
        np.savez(files[-1], **{name: x / 10 for name, x in state.items()})
    convert(files, Path(tmp_path / "parts"), heads=official.HEADS)
    donor = flatten(load_donor(Path(tmp_path / "parts"))[1])

    tile = official.CONFIG.patch_size * official.CONFIG.grid
    config = make_config(
        "align",
        model=official.CONFIG.to_dict(),
        init_from=str(tmp_path / "parts"),
        steps=1,
        crop={"size": tile},
        lmbda=((1.0,),) * official.CONFIG.num_rates,
        validation={"photos": 0},
    )
    own = flatten(loop.train(config, tmp_path / "align").params)
    assert f"took over {len(donor)} arrays" in capsys.readouterr().out
    for path, value in donor.items():
        # Adam's first step moves what this stage trains by the learning rate.
        np.testing.assert_allclose(own[path], value, rtol=0, atol=2e-3, err_msg=path)
        if path.startswith("vqgan/") and path != VQGAN_CODEBOOK:
            np.testing.assert_array_equal(own[path], value, err_msg=path)


@pytest.mark.slow
def test_divergence_stops_the_run(make_config, tmp_path, lpips_params, monkeypatch):
    broken = jax.tree.map(lambda x: x * np.nan, lpips_params)
    monkeypatch.setattr(loss_table, "load_lpips_params", lambda net: broken)
    with pytest.raises(FloatingPointError, match="step 1: not finite: lpips_vgg"):
        loop.train(make_config("vqgan"), tmp_path)
    assert checkpointing.Checkpoints(tmp_path).latest() is None


def test_a_workdir_that_is_a_file_is_rejected(make_config, tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(
        UserError, match=r"cannot create .*run \(File exists\): name anoth"
    ):
        loop.train(make_config("vqgan"), tmp_path / "run")


def test_nothing_is_written_before_donors_and_photos_are_found(make_config, tmp_path):
    config = make_config("vqgan", init_from=str(tmp_path / "absent"))
    with pytest.raises(UserError, match="not the --workdir of a training run"):
        loop.train(config, tmp_path / "run")
    with pytest.raises(UserError, match="not a folder"):
        loop.train(make_config("vqgan", data="/nowhere"), tmp_path / "run")
    with pytest.raises(UserError, match="align needs vqgan of stage vqgan"):
        loop.train(make_config("align"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_resumed_run_keeps_its_photos_until_others_are_found(make_config, tmp_path):
    loop.train(make_config("vqgan"), tmp_path / "run")
    kept = checkpointing.read_config(tmp_path / "run")
    with pytest.raises(UserError, match="not a folder"):
        loop.train(make_config("vqgan", data="/none"), tmp_path / "run")
    assert checkpointing.read_config(tmp_path / "run") == kept


def test_config_rejects_unknown_keys_and_options(make_config):
    config = make_config("pixel")
    with pytest.raises(AttributeError):
        config.learnign_rate = 1.0
    with pytest.raises(ValueError, match="stage=adversarial is not one of"):
        make_config("adversarial")


@pytest.mark.parametrize(
    ("platform", "version", "donated"),
    [
        ("cpu", (0, 5, 3), ()),
        ("cpu", (0, 7, 2), (0,)),
        ("tpu", (0, 5, 3), (0,)),
    ],
)
def test_state_is_donated_where_that_works(platform, version, donated, monkeypatch):
    monkeypatch.setattr(jax, "__version_info__", version)
    assert plan.donated_state(platform) == donated
