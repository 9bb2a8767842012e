"""Ahead-of-time compilation for an absent TPU slice; needs the extra aot."""

import os
import re
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
from flax import linen as nn
from jax.experimental import topologies
from jax.sharding import Mesh

from dlf_jax.errors import UserError
from dlf_jax.extras import needs
from dlf_jax.libtpu import expect_no_tpu
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dlf import DLF
from dlf_jax.training.devices.sharding import (
    MeshConfig,
    batch_sharding,
    make_mesh,
    replicated,
)
from dlf_jax.training.run.plan import make_plan
from dlf_jax.training.step.inputs import StepInputs

_NAME = re.compile(r"([a-z0-9 ]+):(\d+(?:x\d+){1,2})((?:_un|_)twisted)?")
# Names in other tools.
_SYNONYMS = {"v5litepod": "v5e", "v7x": "tpu7x"}
# Chips whose two cores make one device, as on real slices.
_MEGACORE = {"v4", "v5p"}


def slice_of(topology: str) -> list[Any]:
    """Returns the devices of a slice by name, such as "v5e:4x4", in any case.

    Raises:
      UserError: libtpu is missing, in use, or does not know the slice.
    """
    unknown = f"unknown TPU topology {topology!r}: try v5e:4x4, v6e:2x4 or v5p:2x2x1"
    match = _NAME.fullmatch(topology.strip().lower())
    if match is None:
        raise UserError(unknown)
    chip, shape, twist = match.groups(default="")
    chip = _SYNONYMS.get(chip, chip)
    options = {"chip_config_name": "megacore"} if chip in _MEGACORE else {}
    if set(shape.split("x")) == {"1"}:  # most hosts have four chips
        options["chips_per_host_bounds"] = [1, 1, 1]
    if "TPU_LIBRARY_PATH" not in os.environ:
        needs("libtpu", "aot", '"jax[tpu]"')
    # A slice is described, not used: nothing may look for a TPU, or wait for a process
    # that holds one.
    expect_no_tpu()
    os.environ["ALLOW_MULTIPLE_LIBTPU_LOAD"] = "1"
    try:
        found = topologies.get_topology_desc(
            f"{chip}:{shape}{twist}", platform="tpu", **options
        )
    except Exception as error:  # libtpu and jax raise many kinds
        reason = str(error).strip().splitlines()[0]
        if "lockfile" in reason:
            raise UserError(
                "another process uses libtpu and holds /tmp/libtpu_lockfile: wait for "
                "its end, or remove the file if there is none"
            ) from error
        reason = reason.removeprefix("INVALID_ARGUMENT: ")
        raise UserError(f"{unknown} (libtpu: {reason})") from error
    return list(found.devices)


def compile_stage(config: ml_collections.ConfigDict, mesh: Mesh) -> Any:
    """Compiles the train step of a stage from shapes alone."""
    plan = make_plan(config, mesh)
    state = _placed(plan.shapes, plan.placements)
    inputs = _placed(_inputs(plan.task, config), replicated(mesh))
    side = config.crop.size
    batch = jax.ShapeDtypeStruct(
        (config.batch_size, side, side, 3), jnp.uint8, sharding=batch_sharding(mesh)
    )
    return plan.train_step.lower(state, inputs, batch).compile()


def compile_codec(config: DLFConfig, device: Any, side: int) -> dict[str, Any]:
    """Compiles both networks of the codec for a photo on one chip, by command."""
    model, whole = DLF(config), replicated(make_mesh(MeshConfig(), [device]))
    tile = config.tile_size
    image = jnp.zeros((1, tile, tile, 3))
    params = jax.eval_shape(
        lambda key: model.init(key, image, jnp.zeros(1, jnp.int32), method=_codec),
        jax.random.key(0),
    )
    tiles, cells = (side // tile) ** 2, side // config.detail_stride

    def struct(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=whole)

    rate = struct((1,), jnp.int32)
    calls = {
        "compress": ("analyze", struct((1, side, side, 3), jnp.float32), rate),
        "decompress": (
            "synthesize",
            struct((tiles, config.num_tokens), jnp.int32),
            struct((1, cells, cells, config.latent_channels), jnp.float32),
            rate,
        ),
    }
    params = _placed(params, whole)
    return {
        name: jax.jit(
            lambda p, *args, method=method: model.apply(p, *args, method=method)
        )
        .lower(params, *arguments)
        .compile()
        for name, (method, *arguments) in calls.items()
    }


def _codec(model: DLF, image: Any, rate: Any) -> None:
    """Uses every parameter of the codec."""
    analysis = model.analyze(image, rate)
    model.prior(rate, analysis.y.shape[1:3])
    model.synthesize(analysis.tokens, analysis.y, rate)


def _inputs(task: Any, config: ml_collections.ConfigDict) -> StepInputs:
    """Shapes of the inputs of every step."""
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)

    def shapes(network: nn.Module) -> Any:
        return jax.eval_shape(network.init, jax.random.key(0), image, image)["params"]

    return StepInputs(
        lmbda=jax.ShapeDtypeStruct((len(config.lmbda),), jnp.float32),
        networks={name: shapes(net) for name, net in task.networks.items()},
        adversarial=jax.ShapeDtypeStruct((), jnp.float32),
    )


def _placed(shapes: Any, placements: Any) -> Any:
    """Adds shardings to shapes; `placements` is a tree of shardings, or one for all."""
    if isinstance(placements, jax.sharding.Sharding):
        placements = jax.tree.map(lambda _: placements, shapes)
    return jax.tree.map(
        lambda x, sharding: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        shapes,
        placements,
    )
