"""Stages and codec, compiled for the device at hand in place of a slice."""

import jax
import pytest

from dlf_jax.errors import UserError
from dlf_jax.models.variants import VARIANTS
from dlf_jax.training import aot
from dlf_jax.training.hlo_report import report
from dlf_jax.training.sharding import MeshConfig, make_mesh
from tests.training import tiny


@pytest.fixture(autouse=True)
def _tiny_model(monkeypatch):
    monkeypatch.setitem(VARIANTS, "dlf-nano", tiny.TINY)


@pytest.mark.slow
def test_stage():
    config = tiny.shipped_config("tokenizer")
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    program = aot.compile_stage(config, mesh)
    sizes = program.memory_analysis()
    # The state is donated: most results take the place of arguments.
    assert sizes.alias_size_in_bytes > 0.9 * sizes.output_size_in_bytes
    assert " 1x1 | 2 | 0.00 | " in report("tokenizer", "1x1", 2, program, "TPU v4")


@pytest.mark.slow
def test_codec():
    programs = aot.compile_codec(tiny.TINY, jax.devices()[0], side=32)
    assert set(programs) == {"compress", "decompress"}
    compress, decompress = (p.cost_analysis()["flops"] for p in programs.values())
    assert 0 < compress and 0 < decompress


def test_unknown_slices_are_refused():
    with pytest.raises(UserError, match="topology 'v5e:nonsense' cannot be had"):
        aot.slice_of("v5e:nonsense")
