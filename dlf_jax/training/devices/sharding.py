"""The device mesh, and the table from parameter paths to placements.

The batch is split over all devices of the mesh.  Along ``data`` the state is repeated;
along ``fsdp`` every device holds a part of each large array.  A step gathers the
parameters in the type of its arithmetic, and reduces the gradient to the part of each
device.  Models do not depend on the mesh.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from dlf_jax.errors import UserError
from dlf_jax.training.stages.rules import Rules, first_match

DATA, FSDP = "data", "fsdp"

_WHOLE, _SPLIT = "whole", "split"

# Over the paths of a whole training state: parameters, moments and averages have the
# same last names, and so the same placements.
_PLACEMENTS: Rules = (
    ("step|rungs|usage/.*|(.*/)?(count|ns_coeffs)", _WHOLE),
    # Vectors: less than a thousandth of all bytes, not worth a collective.
    ("(.*/)?(bias|scale|layer_scale|gain|mean|var|prior_vector)", _WHOLE),
    ("(.*/)?(class_embedding|mask_token)", _WHOLE),
    ("(.*/)?(kernel|embedding|latent_tokens)", _SPLIT),
    ("(.*/)?([a-z]+_)?positions", _SPLIT),
    ("(.*/)?(upper_lower|left_right)_mask", _SPLIT),
)


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """Shape of the mesh.

    Attributes:
      data: devices along `data`; 0: all remaining devices.
      fsdp: devices along `fsdp`, which share one copy of the state.
    """

    data: int = 0
    fsdp: int = 1


def make_mesh(config: MeshConfig, devices: Sequence[Any] | None = None) -> Mesh:
    """Returns the mesh over `devices`, by default all devices.

    Raises:
      UserError: the number of devices does not fit the mesh.
    """
    devices = jax.devices() if devices is None else devices
    data = config.data or max(len(devices) // config.fsdp, 1)
    if data * config.fsdp > len(devices) or (
        not config.data and len(devices) % config.fsdp
    ):
        raise UserError(
            f"a mesh of data={config.data} and fsdp={config.fsdp} does not fit "
            f"{len(devices)} devices; change --config.mesh.data or --config.mesh.fsdp"
        )
    return jax.make_mesh(
        (data, config.fsdp),
        (DATA, FSDP),
        axis_types=(AxisType.Auto, AxisType.Auto),
        devices=devices[: data * config.fsdp],
    )


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of a batch: the first axis over all devices."""
    return NamedSharding(mesh, PartitionSpec((DATA, FSDP)))


def replicated(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of an array that every device holds whole."""
    return NamedSharding(mesh, PartitionSpec())


def placement(path: str, shape: Sequence[int], fsdp: int) -> PartitionSpec:
    """Returns the placement of one array of a training state or of parameters.

    Large arrays are split along the longest axis that `fsdp` divides, the last of
    several; an array without such an axis stays whole.

    Args:
      path: of the array in the tree, joined by slashes.
      shape: of the array.
      fsdp: number of devices along the axis `fsdp` of the mesh.

    Raises:
      ValueError: no rule of the table matches `path`.
    """
    rule = first_match(path, _PLACEMENTS)
    if rule is None:
        raise ValueError(f"no rule says where {path} is placed")
    spec = [None] * len(shape)
    sides = [(side, axis) for axis, side in enumerate(shape) if side % fsdp == 0]
    if rule[1] == _SPLIT and sides:
        spec[max(sides)[1]] = FSDP
    return PartitionSpec(*spec)


def shardings(mesh: Mesh, tree: Any) -> Any:
    """Returns the tree of `NamedSharding` for the arrays of `tree`, see `placement`."""

    def place(keys: Any, leaf: Any) -> NamedSharding:
        path = jax.tree_util.keystr(keys, simple=True, separator="/")
        return NamedSharding(mesh, placement(path, leaf.shape, mesh.shape[FSDP]))

    return jax.tree_util.tree_map_with_path(place, tree)
