"""Checkpoints become model directories."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dlf_jax.checkpoints.store import load_model
from dlf_jax.errors import UserError
from dlf_jax.models.variants import VARIANTS
from dlf_jax.training import checkpointing
from dlf_jax.training.export import export
from dlf_jax.training.state import create_state


@pytest.fixture
def make_run(tmp_path):
    """Working directory of a run with two parameters that inference needs."""

    def make(stage, *, use_ema=True, save=True):
        keys = ("batch_size", "crop", "loss", "lmbda", "optimizer", "seed")
        config = {"stage": stage, "model": "dlf-nano"} | dict.fromkeys(keys, 1)
        checkpointing.write_config(tmp_path, config)
        params = {
            "context": {"prior_vector": jnp.ones((4, 8))},
            "fusion": {"kernel": jnp.arange(3.0), "mask": jnp.array([0.0, -jnp.inf])},
            "vqgan": {"encoder": {"kernel": jnp.ones(2)}},
        }
        state = create_state(params, optax.sgd(1.0), codebooks=(), use_ema=use_ema)
        state = state.replace(params=jax.tree.map(lambda x: x + 1.0, params))
        checkpoints = checkpointing.Checkpoints(tmp_path)
        if save:
            checkpoints.save(7, state)
        checkpoints.close()
        return tmp_path

    return make


@pytest.mark.parametrize("use_ema", [True, False])
def test_model_has_the_average_of_what_inference_needs(make_run, tmp_path, use_ema):
    assert export(make_run("pixel", use_ema=use_ema), tmp_path / "model") == 7
    model = load_model(tmp_path / "model")
    assert model.name == "dlf-nano" and model.config == VARIANTS["dlf-nano"]
    assert (
        model.metadata["step"] == 7 and model.metadata["training"]["stage"] == "pixel"
    )
    assert set(model.params) == {"context", "fusion"}
    expected = np.arange(3.0) + (0.0 if use_ema else 1.0)
    np.testing.assert_array_equal(model.params["fusion"]["kernel"], expected)
    assert model.params["fusion"]["mask"][1] == -np.inf


def test_only_joint_stages_make_a_model(make_run, tmp_path):
    with pytest.raises(UserError, match="make a whole codec"):
        export(make_run("vqgan"), tmp_path / "model")


def test_runs_without_checkpoint_are_named(make_run, tmp_path):
    with pytest.raises(UserError, match="no checkpoint yet"):
        export(make_run("pixel", save=False), tmp_path / "model")
    with pytest.raises(UserError, match="not the --workdir"):
        export(tmp_path / "absent", tmp_path / "model")
