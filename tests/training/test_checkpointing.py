import sys

import jax.numpy as jnp
import pytest
from etils import epath

from dlf_jax.errors import UserError
from dlf_jax.training.checkpointing import Checkpoints, absolute
from dlf_jax.training.state import TrainState


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
    state = TrainState(
        step=jnp.zeros((), jnp.int32),
        params={"kernel": jnp.ones(3)},
        opt_state=(),
        ema=None,
        usage={},
        rungs=jnp.zeros(1, jnp.int32),
    )
    checkpoints = Checkpoints(epath.Path(tmp_path))
    for step, loss in enumerate(losses, start=1):
        checkpoints.save(step, state, config={}, data={}, loss=loss)
    checkpoints.close()
    folders = (tmp_path / "checkpoints").iterdir()
    assert {int(folder.name) for folder in folders} == kept


def test_urls_stay_and_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("run") == epath.Path(tmp_path / "run")
    monkeypatch.setattr(epath.Path("gs://bucket/run").__class__, "exists", lambda _: 1)
    assert str(absolute("gs://bucket/run")) == "gs://bucket/run"


def test_storage_that_cannot_be_reached_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(UserError, match=r"gcsfs.*dlf-jax\[gcs\]"):
        absolute("gs://bucket/run")
    with pytest.raises(UserError, match="nonsense://bucket cannot be reached"):
        absolute("nonsense://bucket")
