"""How fast this machine trains, against what it can do at most.

  python launch/studies/throughput/throughput.py \
      --config configs/dlf.py:preset=nano,stage=pixel [--parts]

A rate is FLOPs, as XLA counts them before it optimises, over the median time of a run;
the share is that of the rate of a matrix product.  Weights and images are random.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from flax import linen as nn
from ml_collections import config_flags

from dlf_jax.compilation import compiler_options
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.vqgan import VQGANDecoder
from dlf_jax.nn.depth_conv import DepthConvBlock
from dlf_jax.nn.layers import Conv, Dense
from dlf_jax.nn.swin import SwinGroup
from dlf_jax.nn.transformer import TransformerBlock
from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.training.devices.sharding import MeshConfig, make_mesh
from dlf_jax.training.run.plan import init_arguments, make_plan
from dlf_jax.training.settings.checks import check_settings
from dlf_jax.training.settings.sizes import model_config
from dlf_jax.training.step.inputs import StepInputs

_CONFIG = config_flags.DEFINE_config_file("config", None, "Settings of a stage.")
_PARTS = flags.DEFINE_bool("parts", False, "Kinds of layers instead of the step.")
_RUNS = flags.DEFINE_integer("runs", 10, "Runs that the median is taken of.")


def measure(function, *args, options=None) -> tuple[float, float]:
    """Median seconds, and FLOPs, of a call of a jitted function."""
    if options is None:
        options = compiler_options(jax.default_backend())
    lowered = function.lower(*args)
    compiled = lowered.compile(options)
    jax.block_until_ready(compiled(*args))
    seconds = []
    for _ in range(_RUNS.value):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*args))
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), lowered.cost_analysis()["flops"]


def matrix_product() -> tuple[float, float]:
    """A product of two square matrices that fill the caches, as XLA does it best."""
    x = jax.random.normal(jax.random.key(0), (2048, 2048))
    return measure(jax.jit(jnp.matmul), x, x, options={})


def gradient(module: nn.Module, *shapes: tuple[int, ...]) -> tuple[float, float]:
    """Forward and backward pass of a module, to its parameters and first argument."""
    keys = jax.random.split(jax.random.key(0), len(shapes))
    args = [jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=True)]
    params = jax.jit(module.init)(jax.random.key(1), *args)

    def loss(params, *args):
        return jnp.mean(jnp.square(module.apply(params, *args)))

    return measure(jax.jit(jax.grad(loss, argnums=(0, 1))), params, *args)


def parts(config: DLFConfig, batch: int, lpips_side: int) -> dict[str, tuple]:
    """Kinds of layers that a step is made of, at the sizes of one tile.

    The first two are single layers, next to nothing in them that is no product: what
    they lack is XLA's, and what the others lack beside them is between their products.
    """
    grid, vqgan = config.grid, config.vqgan
    finest = config.tile_size // vqgan.patch
    cells, latent = (batch, grid, grid), (batch, grid // 2, grid // 2)
    tokens = (batch, grid * grid + config.num_tokens, config.decoder.width)
    image = (batch, lpips_side, lpips_side, 3)
    detail, width = config.detail_width, config.decoder.width
    return {
        "3x3 convolution alone": (
            Conv(vqgan.channels, (3, 3)),
            (batch, finest, finest, vqgan.channels),
        ),
        "dense layer alone": (Dense(4 * width), tokens),
        "VQGAN decoder (convolutions)": (
            VQGANDecoder(vqgan),
            (*cells, vqgan.z_channels),
            (batch, finest, finest, vqgan.texture_channels),
        ),
        "ViT block (attention)": (TransformerBlock(config.decoder.num_heads), tokens),
        "Swin group (window attention)": (
            SwinGroup(4, config.window, config.head_width),
            (*cells, detail),
        ),
        "DepthConv block": (DepthConvBlock(detail), (*latent, detail)),
        "LPIPS-VGG (convolutions)": (LPIPS(), image, image),
    }


def train_step(config) -> tuple[float, float]:
    """One update of a stage."""
    plan = make_plan(config, make_mesh(MeshConfig(), jax.devices()[:1]))
    state = plan.create(jax.jit(plan.task.init)(*init_arguments(config, plan.model)))
    images = jnp.zeros((1, 64, 64, 3))
    networks = {
        name: jax.jit(network.init)(jax.random.key(0), images, images)["params"]
        for name, network in plan.task.networks.items()
    }
    inputs = StepInputs(jnp.ones(len(config.lmbda)), networks)
    shape = (config.batch_size, config.crop.size, config.crop.size, 3)
    batch = jax.random.randint(jax.random.key(0), shape, 0, 256).astype(jnp.uint8)
    # Without donation: every run is given the same state.
    return measure(jax.jit(plan.train_step.__wrapped__), state, inputs, batch)


def main(argv: list[str]) -> None:
    """Prints the table."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]}")
    config = _CONFIG.value
    check_settings(config)
    side = config.loss.perceptual_crop
    if _PARTS.value:
        measured = {
            name: gradient(*part)
            for name, part in parts(
                model_config(config.model.to_dict()), config.batch_size, side
            ).items()
        }
    else:
        measured = {f"{config.stage}, {config.batch_size} images": train_step(config)}
    seconds, flops = matrix_product()
    peak = flops / seconds
    print(f"matrix product: {peak / 1e9:.1f} GFLOP/s on {jax.devices()[0].device_kind}")
    print("| what | ms | GFLOP | GFLOP/s | share |")
    print("|---|---:|---:|---:|---:|")
    for name, (seconds, flops) in measured.items():
        rate = flops / seconds
        print(
            f"| {name} | {1e3 * seconds:.1f} | {flops / 1e9:.2f} "
            f"| {rate / 1e9:.1f} | {rate / peak:.0%} |"
        )


if __name__ == "__main__":
    flags.mark_flags_as_required(["config"])
    app.run(main)
