"""CPU time of sums and of GELU: plain jnp against the forms that the networks use.

python launch/studies/throughput/sums.py
"""

import statistics
from collections.abc import Callable

import click
import jax
import jax.numpy as jnp
from cpu_time import cpu_seconds
from flax import linen as nn

from dlf_jax.compilation import compiler_options
from dlf_jax.nn.layers import gelu
from dlf_jax.ops.sums import sum_last, sum_leading


def milliseconds(function: Callable, x: jax.Array, runs: int) -> float:
    """Median CPU time of a call of the compiled function."""
    program = jax.jit(function).lower(x).compile(compiler_options("cpu"))

    cpu_seconds(program, x, calls=10)
    used = [sum(cpu_seconds(program, x, calls=10)) for _ in range(runs)]
    return 1e3 * statistics.median(used)


def gradient(function: Callable) -> Callable:
    """Gradient of the sum of the results."""
    return jax.grad(lambda x: jnp.sum(function(x)))


def exact_gelu(x: jax.Array) -> jax.Array:
    """GELU of Flax, by erfc."""
    return nn.gelu(x, approximate=False)


@click.command()
@click.option("--runs", type=click.IntRange(1), default=15, show_default=True)
def main(runs: int) -> None:
    """Prints a table of milliseconds."""
    maps = jax.random.normal(jax.random.key(0), (8, 32, 32, 128))
    rows = jax.random.normal(jax.random.key(1), (2048, 512))
    table = {
        "sum over pixels": (maps, lambda x: jnp.sum(x, (0, 1, 2)), sum_leading),
        "sum over channels": (maps, lambda x: jnp.sum(x, -1, keepdims=True), sum_last),
        "GELU": (rows, exact_gelu, gelu),
        "gradient of GELU": (rows, gradient(exact_gelu), gradient(gelu)),
    }
    print("| | array | plain, ms | ours, ms | |\n|---|---|---:|---:|---:|")
    for name, (x, plain, ours) in table.items():
        a, b = milliseconds(plain, x, runs), milliseconds(ours, x, runs)
        shape = "x".join(map(str, x.shape))
        print(f"| {name} | {shape} | {a:.2f} | {b:.2f} | {a / b:.1f} x |")


if __name__ == "__main__":
    main()
