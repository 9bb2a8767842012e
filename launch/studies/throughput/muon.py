"""CPU time of Muon: this package against optax.contrib.muon.

  python launch/studies/throughput/muon.py

Both update the kernels of dlf-nano that stage pixel trains, with random gradients.
"""

import statistics
from collections.abc import Callable

import click
import jax
import numpy as np
import optax.contrib
from cpu_time import cpu_seconds

from dlf_jax.compilation import compiler_options
from dlf_jax.models.dlf import DLF
from dlf_jax.models.variants import VARIANTS
from dlf_jax.paths import flatten, nest
from dlf_jax.training.step.optimizer import OptimizerConfig, make_optimizer

_CONFIG = OptimizerConfig(
    lr=1.0,
    warmup_steps=0,
    final_factor=1.0,
    clip_norm=0.0,
    b1=0.9,
    b2=0.95,
    schedule="constant",
    name="muon",
)


def kernel_gradients() -> dict:
    """Random gradients of all kernels but depthwise ones."""
    model, side = DLF(VARIANTS["dlf-nano"]), VARIANTS["dlf-nano"].tile_size
    image, rate = np.zeros((1, side, side, 3), np.float32), np.zeros(1, np.int32)

    def touch_everything(module: DLF) -> None:
        module.reconstruct(module(image, rate).latent)

    shapes = jax.eval_shape(
        lambda key: model.init(key, method=touch_everything)["params"],
        jax.random.key(0),
    )
    rng = np.random.default_rng(0)
    return nest(
        {
            path: jax.numpy.asarray(rng.normal(size=leaf.shape), "float32")
            for path, leaf in flatten(shapes).items()
            if path.endswith("/kernel") and leaf.shape[-2] > 1
        }
    )


def compiled(transform: optax.GradientTransformation, gradients: dict) -> Callable:
    """One update, compiled as in training."""

    def update(gradients: dict) -> dict:
        return transform.update(gradients, transform.init(gradients), gradients)[0]

    options = compiler_options(jax.default_backend())
    return jax.jit(update).lower(gradients).compile(options)


@click.command()
@click.option("--runs", type=click.IntRange(1), default=9, show_default=True)
def main(runs: int) -> None:
    """Prints the medians of both, and of their ratios in pairs of runs."""
    gradients = kernel_gradients()

    def axes(params: dict) -> dict:
        numbers = optax.contrib.MuonDimensionNumbers
        return jax.tree.map(
            lambda x: numbers(tuple(range(x.ndim - 1)), x.ndim - 1), params
        )

    rules = ((".*", "trained"),)
    ours = compiled(make_optimizer(_CONFIG, 1, gradients, rules), gradients)
    optax_muon = optax.contrib.muon(
        1.0, consistent_rms=0.2, muon_weight_dimension_numbers=axes
    )
    theirs = compiled(optax_muon, gradients)
    for function in (ours, theirs):
        cpu_seconds(function, gradients)
    pairs = [
        (sum(cpu_seconds(ours, gradients)), sum(cpu_seconds(theirs, gradients)))
        for _ in range(runs)
    ]
    mine, others = map(statistics.median, zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{len(flatten(gradients))} kernels on {jax.devices()[0].device_kind}")
    print(f"dlf_jax {mine:.3f} s, optax {others:.3f} s of CPU time: {ratio:.2f} x")


if __name__ == "__main__":
    main()
