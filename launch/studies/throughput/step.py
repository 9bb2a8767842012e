"""A compiled training step with random arguments, for the scripts beside this file."""

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from dlf_jax.compilation import compiler_options
from dlf_jax.training.devices.sharding import MeshConfig, make_mesh
from dlf_jax.training.run.plan import init_arguments, make_plan
from dlf_jax.training.step.inputs import StepInputs
from dlf_jax.typing import PyTree


def compiled_step(config: ConfigDict) -> tuple[jax.stages.Compiled, tuple, float]:
    """Compiles an update of a stage for one device.

    Args:
      config: settings of the stage.

    Returns:
      The program, which leaves its arguments intact; its arguments; and its FLOPs,
      counted by XLA before optimisation.
    """
    plan = make_plan(config, make_mesh(MeshConfig(), jax.devices()[:1]))
    rng = np.random.default_rng(0)
    # Values do not matter, and drawing initial ones takes a minute to compile.
    params = _random(
        jax.eval_shape(plan.task.init, *init_arguments(config, plan.model)), rng
    )
    images = jnp.zeros((1, 64, 64, 3))
    networks = {
        name: _random(
            jax.eval_shape(network.init, jax.random.key(0), images, images)["params"],
            rng,
        )
        for name, network in plan.task.networks.items()
    }
    inputs = StepInputs(jnp.ones(len(config.lmbda)), networks)
    shape = (config.batch_size, config.crop.size, config.crop.size, 3)
    batch = jnp.asarray(rng.integers(0, 256, shape, np.uint8))
    args = plan.create(params), inputs, batch
    lowered = jax.jit(plan.train_step.__wrapped__).lower(*args)
    program = lowered.compile(compiler_options(jax.default_backend()))
    return program, args, lowered.cost_analysis()["flops"]


def _random(shapes: PyTree, rng: np.random.Generator) -> PyTree:
    """Arrays of these shapes: small normal floats, and zeros of all other types."""

    def draw(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return jnp.zeros(leaf.shape, leaf.dtype)
        return jnp.asarray(0.05 * rng.standard_normal(leaf.shape), leaf.dtype)

    return jax.tree.map(draw, shapes)
