"""Placement of arrays on a mesh that is described, not there."""

import jax
import pytest
from jax.sharding import PartitionSpec

from dlf_jax.errors import UserError
from dlf_jax.training.devices.sharding import MeshConfig, make_mesh, placement


@pytest.mark.parametrize(
    ("path", "shape", "spec"),
    [
        ("params/encoder/semantic/block_0/mlp/up/kernel", (8, 32), (None, "fsdp")),
        ("opt_state/0/mu/decoder/upsample/kernel", (32, 8), ("fsdp", None)),
        ("ema/vqgan/conv_out/kernel", (3, 3, 16, 3), (None, None, "fsdp", None)),
        # The last one of equal sides.
        ("params/decoder/stage_3/swin/block_1/attention/left_right_mask", (16, 16),
         (None, "fsdp")),
        # The longest side that the mesh divides, not the longest.
        ("params/encoder/semantic/trunk/positions", (257, 8), (None, "fsdp")),
        ("params/fusion/body/block_0/attention/positions", (31, 31), (None, None)),
        ("params/encoder/norm_out/scale", (32,), (None,)),
        ("params/context/prior_vector", (4, 64), (None, None)),
        ("opt_state/inner_states/trained/inner_state/count", (), ()),
        ("step", (), ()),
        ("usage/tokens/embedding", (16,), (None,)),
    ],
)  # fmt: skip
def test_table(path, shape, spec):
    assert placement(path, shape, fsdp=4) == PartitionSpec(*spec)


def test_array_without_rule_is_an_error():
    with pytest.raises(ValueError, match="where params/a/novelty is placed"):
        placement("params/a/novelty", (8, 8), fsdp=4)


def test_mesh_takes_all_devices_that_fsdp_leaves():
    assert make_mesh(MeshConfig()).shape == {"data": len(jax.devices()), "fsdp": 1}


@pytest.mark.parametrize("shape", [(0, 1024), (1024, 1), (3, 1024)])
def test_mesh_that_does_not_fit_is_an_error(shape):
    with pytest.raises(UserError, match="does not fit 1 devices"):
        make_mesh(MeshConfig(*shape), jax.devices()[:1])
