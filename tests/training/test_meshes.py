"""The mesh does not change what is learnt, and the state is really split over it."""

import json
import os

import numpy as np
import pytest

from tests.processes import run_python


@pytest.fixture(scope="module")
def runs():
    """Runs of the semantic stage on eight virtual devices, by mesh."""
    flags = os.environ.get("XLA_FLAGS", "")
    done = run_python(
        *("-W", "error", "-m", "tests.training.mesh_curves", "tokenizer"),
        env={
            "XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count=8",
            "JAX_PLATFORMS": "cpu",
        },
    )
    assert done.returncode == 0, done.stderr
    found = map(json.loads, done.stdout.splitlines())
    return {run["name"]: run for run in found}


@pytest.mark.slow
@pytest.mark.parametrize("mesh", ["8x1", "4x2", "1x8"])
def test_loss_curves_agree(runs, mesh):
    """4x2 takes every batch in two parts, and 1x8 recomputes its blocks."""
    one = runs["1x1"]["loss"]
    assert len(one) == 20 and np.std(one) > 1e-3
    np.testing.assert_allclose(runs[mesh]["loss"], one, rtol=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mesh", "part", "share"),
    [
        ("1x1", "params", 1.0),
        ("8x1", "params", 1.0),
        ("8x1", "opt_state", 1.0),
        ("4x2", "params", 0.55),
        ("4x2", "opt_state", 0.57),
        ("1x8", "opt_state", 0.25),
    ],
)
def test_bytes_of_a_device(runs, mesh, part, share):
    """Of a codec this small, vectors and sides below eight are a good part."""
    held, whole = runs[mesh][part]
    assert 0.9 * share <= held / whole <= share
