"""Training throughput relative to the peak of this machine.

  python launch/studies/throughput/throughput.py \
      --config configs/dlf.py:preset=nano,stage=pixel [--parts]

A rate is the number of FLOPs, counted by XLA before optimisation, over the median time
of a run.  The share is relative to the rate of a matrix product.  Weights and images
are random.
"""

import statistics
import sys
import time

import click
import jax
import jax.numpy as jnp
from flax import linen as nn
from step import compiled_step

from dlf_jax.cli.settings import SettingsCommand, settings_options
from dlf_jax.compilation import compiler_options
from dlf_jax.errors import UserError
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.vqgan import VQGANDecoder
from dlf_jax.nn.depth_conv import DepthConvBlock
from dlf_jax.nn.layers import Conv, Dense
from dlf_jax.nn.swin import SwinGroup
from dlf_jax.nn.transformer import TransformerBlock
from dlf_jax.perceptual.lpips import LPIPS
from dlf_jax.training.settings.checks import check_settings
from dlf_jax.training.settings.sizes import model_config


def measure(function, *args, runs: int, options=None) -> tuple[float, float]:
    """Median seconds and FLOPs of a call of a jitted function."""
    if options is None:
        options = compiler_options(jax.default_backend())
    lowered = function.lower(*args)
    seconds = median_seconds(lowered.compile(options), args, runs)
    return seconds, lowered.cost_analysis()["flops"]


def median_seconds(program: jax.stages.Compiled, args: tuple, runs: int) -> float:
    """Median seconds of a run of a compiled program."""
    jax.block_until_ready(program(*args))
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        jax.block_until_ready(program(*args))
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def matrix_product(runs: int) -> tuple[float, float]:
    """Seconds and FLOPs of a large matrix product, with XLA's default options."""
    x = jax.random.normal(jax.random.key(0), (2048, 2048))
    return measure(jax.jit(jnp.matmul), x, x, runs=runs, options={})


def gradient(
    module: nn.Module, *shapes: tuple[int, ...], runs: int
) -> tuple[float, float]:
    """Forward and backward pass of a module, for parameters and first argument."""
    keys = jax.random.split(jax.random.key(0), len(shapes))
    args = [jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=True)]
    params = jax.jit(module.init)(jax.random.key(1), *args)

    def loss(params, *args):
        return jnp.mean(jnp.square(module.apply(params, *args)))

    return measure(jax.jit(jax.grad(loss, argnums=(0, 1))), params, *args, runs=runs)


def parts(config: DLFConfig, batch: int, lpips_side: int) -> dict[str, tuple]:
    """Layer types of a training step, at the size of one tile.

    The first two are almost pure matrix products, so that their gap to the peak is due
    to XLA.  The additional gap of the others is due to work between the products.
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


def train_step(config, runs: int) -> tuple[float, float]:
    """Seconds and FLOPs of one update of a stage."""
    program, args, flops = compiled_step(config)
    return median_seconds(program, args, runs), flops


@click.command(cls=SettingsCommand)
@click.option(
    "--parts", "of_parts", is_flag=True, help="Kinds of layers, not the step."
)
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Runs of which the median is taken.",
)
@settings_options
def main(config, of_parts: bool, runs: int) -> None:
    """Prints how fast this machine trains, against what it can do at most."""
    if config is None:
        raise click.UsageError("Missing option '--config'.")
    check_settings(config)
    if of_parts:
        model, side = model_config(config.model.to_dict()), config.loss.perceptual_crop
        kinds = parts(model, config.batch_size, side)
        measured = {name: gradient(*kind, runs=runs) for name, kind in kinds.items()}
    else:
        step = f"{config.stage}, {config.batch_size} images"
        measured = {step: train_step(config, runs)}
    seconds, flops = matrix_product(runs)
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
    try:
        main()
    except UserError as error:
        sys.exit(f"throughput.py: {error}")
