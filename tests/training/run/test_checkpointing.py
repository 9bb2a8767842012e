import contextlib
import errno
import sys

import jax.numpy as jnp
import pytest
from etils import epath

from dlf_jax.errors import UserError
from dlf_jax.training.run.checkpointing import (
    Checkpoints,
    absolute,
    load_state,
    read_config,
    write_config,
)
from dlf_jax.training.step.state import TrainState


def _state():
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params={"kernel": jnp.ones(3)},
        opt_state=(),
        ema=None,
        usage={},
        rungs=jnp.zeros(1, jnp.int32),
    )


@pytest.mark.parametrize(
    ("losses", "kept"),
    [
        ((None, 0.5, None, 0.7, None), {2, 5}),
        ((None, None, None), {3}),
        ((0.3, 0.2, 0.1), {3}),
    ],
)
def test_only_the_last_and_the_best_stay(tmp_path, losses, kept):
    """Most checkpoints are saved between two validations and have no loss."""
    checkpoints = Checkpoints(epath.Path(tmp_path))
    for step, loss in enumerate(losses, start=1):
        checkpoints.save(step, _state(), config={}, data={}, loss=loss)
    checkpoints.close()
    folders = (tmp_path / "checkpoints").iterdir()
    assert {int(folder.name) for folder in folders} == kept


def test_what_a_killed_run_had_begun_to_write_goes(tmp_path):
    workdir = epath.Path(tmp_path)
    write_config(workdir, {})
    with contextlib.closing(Checkpoints(workdir)) as checkpoints:
        checkpoints.save(1, _state(), config={}, data={})
    begun = tmp_path / "checkpoints" / "5.orbax-checkpoint-tmp"
    begun.mkdir()
    (begun / "part").write_bytes(b"begun")
    load_state(workdir)  # may be another process, beside the run that writes this
    assert (begun / "part").exists()
    with contextlib.closing(Checkpoints(workdir)) as checkpoints:
        checkpoints.save(2, _state(), config={}, data={})
    assert [path.name for path in begun.parent.iterdir()] == ["2"]


def test_settings_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    workdir = epath.Path(tmp_path)
    write_config(workdir, {"steps": 4})
    write_config(workdir, {"steps": 5})
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]

    def fill_disk(path, text):
        with open(path, "w") as file:
            file.write(text[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(workdir), "write_text", fill_disk)
    with pytest.raises(OSError, match="No space"):
        write_config(workdir, {"steps": 6})
    assert read_config(workdir) == {"steps": 5}


def test_damaged_settings_can_be_had_from_a_checkpoint(tmp_path):
    workdir = epath.Path(tmp_path)
    with contextlib.closing(Checkpoints(workdir)) as checkpoints:
        checkpoints.save(1, _state(), config={"steps": 4}, data={})
    for damaged in (b'{"steps', b"\xff\xff", b"[]"):
        (tmp_path / "config.json").write_bytes(damaged)
        with pytest.raises(UserError, match=r"checkpoints/STEP/config/metadata"):
            read_config(workdir)
    copy = tmp_path / "checkpoints" / "1" / "config" / "metadata"
    (tmp_path / "config.json").write_bytes(copy.read_bytes())
    assert read_config(workdir) == {"steps": 4}


def test_urls_stay_and_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("run") == epath.Path(tmp_path / "run")
    monkeypatch.setattr(epath.Path("gs://bucket/run").__class__, "exists", lambda _: 1)
    assert str(absolute("gs://bucket/run")) == "gs://bucket/run"


def test_storage_that_cannot_be_reached_is_one_line(monkeypatch):
    # etils takes the file systems of TensorFlow, or those of these libraries.
    for name in ("tensorflow", "gcsfs"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r'pip install "\.\[gcs\]"'):
        absolute("gs://bucket/run")
    with pytest.raises(UserError, match="nonsense://bucket cannot be reached"):
        absolute("nonsense://bucket")


def test_the_home_directory_and_names_that_are_not_text(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(absolute("~/run")) == f"{tmp_path}/run"
    monkeypatch.chdir(tmp_path)
    assert str(absolute("./~run")) == f"{tmp_path}/~run"
    with pytest.raises(UserError, match="must be UTF-8"):
        absolute("r\udcffn")
