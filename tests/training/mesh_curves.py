"""Trains the same batches on meshes: ``python -m tests.training.mesh_curves STAGE``.

Prints a line of JSON for every run: its name, the loss of every step, and the bytes of
parameters and of moments that the first device holds, and that there are.
"""

import json
import sys

import jax
import numpy as np

from dlf_jax.training.devices.sharding import (
    MeshConfig,
    batch_sharding,
    make_mesh,
    replicated,
)
from dlf_jax.training.run import plan
from dlf_jax.training.step.inputs import StepInputs
from tests.training import tiny

NUM_STEPS = 20


def run(name: str, stage: str, data: int, fsdp: int, **changes) -> None:
    """One run; the discriminator takes part where the stage has images."""
    config = tiny.shipped_config(stage)
    config.steps, config.batch_size = NUM_STEPS, 16
    config.optimizer.lr, config.optimizer.warmup_steps = 1e-3, NUM_STEPS - 1
    config.loss.adversarial = 0.8
    config.loss.discriminator_channels = 4
    config.loss.discriminator_images = 2
    config.update(changes)
    mesh = make_mesh(MeshConfig(data, fsdp))
    stage_plan = plan.make_plan(config, mesh)
    placements = stage_plan.placements
    init = jax.jit(stage_plan.task.init, out_shardings=placements.params)
    state = init(*plan.init_arguments(config, stage_plan.model))
    state = jax.jit(stage_plan.create, out_shardings=placements)(state)
    inputs = StepInputs(
        lmbda=np.array([2.0, 1.0], np.float32),
        networks={"lpips_vgg": tiny.lpips_params()},
    )
    inputs = jax.device_put(inputs, replicated(mesh))
    rng, losses = np.random.default_rng(0), []
    for _ in range(NUM_STEPS):
        batch = rng.integers(0, 256, (config.batch_size, 32, 32, 3), np.uint8)
        batch = jax.device_put(batch, batch_sharding(mesh))
        state, metrics = stage_plan.train_step(state, inputs, batch)
        losses.append(float(metrics["loss"]))
    found = {"name": name, "loss": losses}
    for part in ("params", "opt_state"):
        leaves = jax.tree.leaves(getattr(state, part))
        found[part] = [
            sum(x.addressable_shards[0].data.nbytes for x in leaves),
            sum(x.nbytes for x in leaves),
        ]
    print(json.dumps(found), flush=True)


def main() -> None:
    """The runs of one stage, the first argument, on all or on the named meshes."""
    plan.LossConfig = tiny.NarrowLoss
    stage, *names = sys.argv[1:]
    runs = {
        "1x1": (1, 1, {}),
        "8x1": (8, 1, {}),
        "4x2": (4, 2, {"accumulate": 2}),
        "1x8": (1, 8, {"remat": True}),
    }
    for name in names or runs:
        data, fsdp, changes = runs[name]
        run(name, stage, data, fsdp, **changes)


if __name__ == "__main__":
    main()
