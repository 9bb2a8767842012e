"""Stages and codec, compiled for the device at hand in place of a slice."""

import os
import sys

import jax
import pytest
from jax.experimental import topologies

from dlf_jax.errors import UserError
from dlf_jax.training.devices import aot
from dlf_jax.training.devices.hlo_report import report
from dlf_jax.training.devices.sharding import MeshConfig, make_mesh
from tests.training import tiny


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


@pytest.fixture
def libtpu(monkeypatch):
    """Stands in for libtpu: returns what it was asked for."""
    monkeypatch.setenv("TPU_LIBRARY_PATH", "/libtpu.so")
    monkeypatch.setenv("ALLOW_MULTIPLE_LIBTPU_LOAD", "0")
    monkeypatch.setattr(aot, "expect_no_tpu", lambda: None)

    def describe(name, platform, **options):
        assert platform == "tpu"
        return topologies.TopologyDescription([(name, options)])

    monkeypatch.setattr(topologies, "get_topology_desc", describe)


_MEGACORE = {"chip_config_name": "megacore"}
_ONE_CHIP = {"chips_per_host_bounds": [1, 1, 1]}


@pytest.mark.parametrize(
    ("topology", "asked", "options"),
    [
        ("v5e:4x4", "v5e:4x4", {}),
        ("V5E:4x4", "v5e:4x4", {}),
        ("v6e:2X4", "v6e:2x4", {}),
        (" v6e:2x4\n", "v6e:2x4", {}),
        ("v5litepod:2x2", "v5e:2x2", {}),
        ("v2:2x2", "v2:2x2", {}),
        ("v3:2x2", "v3:2x2", {}),
        ("v4:2x2x1", "v4:2x2x1", _MEGACORE),
        ("V4:4x4x8_twisted", "v4:4x4x8_twisted", _MEGACORE),
        ("v5p:2x2x1", "v5p:2x2x1", _MEGACORE),
        ("tpu7x:2x2x1", "tpu7x:2x2x1", {}),
        ("v7x:2x2x1", "tpu7x:2x2x1", {}),
        ("v5e:1x1", "v5e:1x1", _ONE_CHIP),
        ("v5p:1x1x1", "v5p:1x1x1", _MEGACORE | _ONE_CHIP),
    ],
)
def test_names_of_slices(topology, asked, options, libtpu):
    assert aot.slice_of(topology) == [(asked, options)]
    # Two of them compile at once, and beside a process that has a TPU.
    assert os.environ["ALLOW_MULTIPLE_LIBTPU_LOAD"] == "1"


@pytest.mark.parametrize(
    "topology", ["", "v9", "v5e", "v5e-16", "v5e:", "v5e:4", "?:2x2"]
)
def test_names_that_are_none_show_how_they_look(topology, libtpu):
    with pytest.raises(UserError) as error:
        aot.slice_of(topology)
    assert str(error.value) == (
        f"unknown TPU topology {topology!r}: try v5e:4x4, v6e:2x4 or v5p:2x2x1"
    )


def _raise(message):
    def describe(*_, **__):
        raise RuntimeError(message)

    return describe


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (
            "INVALID_ARGUMENT: Invalid TPU external name: TPU v9\n=== Trace: ===",
            "unknown TPU topology 'v9:2x2': try v5e:4x4, v6e:2x4 or v5p:2x2x1 "
            "(libtpu: Invalid TPU external name: TPU v9)",
        ),
        (
            "ABORTED: Internal error when accessing libtpu multi-process lockfile. "
            'Run "$ sudo rm /tmp/libtpu_lockfile".',
            "another process uses libtpu and holds /tmp/libtpu_lockfile: wait for its "
            "end, or remove the file if there is none",
        ),
    ],
)
def test_reasons_of_libtpu(reason, message, libtpu, monkeypatch):
    monkeypatch.setattr(topologies, "get_topology_desc", _raise(reason))
    with pytest.raises(UserError) as error:
        aot.slice_of("v9:2x2")
    assert str(error.value) == message


def test_a_missing_libtpu_names_the_extra(monkeypatch):
    monkeypatch.delenv("TPU_LIBRARY_PATH", raising=False)
    monkeypatch.setitem(sys.modules, "libtpu", None)
    with pytest.raises(
        UserError, match=r'^libtpu is missing: pip install ".\[aot\]" in'
    ):
        aot.slice_of("v5e:4x4")
