"""What rounding the context model costs: bytes of the details of photos, and seconds.

  python launch/context_cost.py WORKDIR PHOTO...

WORKDIR is of a training run, which has the weights before they are rounded.
"""

import tempfile
import time
from pathlib import Path

import click
import jax.numpy as jnp
import numpy as np

from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec.latent_coding import encode_latent
from dlf_jax.codec.network import CompiledNetwork
from dlf_jax.coding.range_coder import RangeSymbolEncoder
from dlf_jax.data.image_io import read_image
from dlf_jax.entropy.four_step import FourStepContext
from dlf_jax.training.checkpointing import load_params
from dlf_jax.training.export import export


class FloatContext:
    """`latent_coding.ContextModel` of one image, as it was trained."""

    def __init__(self, params, config, rate, grid):
        self._model = FourStepContext(config.latent_channels, config.num_rates)
        self._params = params
        self._prior = self._apply("prior", jnp.array([rate]), grid)
        self.quant_step = np.asarray(self._prior.step)
        self.skip_threshold = config.skip_threshold

    def _apply(self, method, *args):
        return self._model.apply({"params": self._params}, *args, method=method)

    def step(self, part, decoded):
        """Scales and means of a part."""
        scales, means = self._apply("step", part, jnp.asarray(decoded), self._prior)
        return np.asarray(scales), np.asarray(means)


@click.command()
@click.argument("workdir", type=click.Path(path_type=Path))
@click.argument("photos", nargs=-1, required=True)
def main(workdir: Path, photos: tuple[str, ...]) -> None:
    """Prints sums over photos, whose sides are multiples of a tile, for every rate."""
    params = load_params(workdir)[0]["context"]
    with tempfile.TemporaryDirectory() as folder:
        export(workdir, Path(folder))
        model = load_model(folder)
    network, images = CompiledNetwork(model), [read_image(photo) for photo in photos]
    network.analyze(images[0], 0)  # compiles
    for rate in range(model.config.num_rates):
        sizes, seconds = np.zeros(2, int), np.zeros(2)
        for image in images:
            start = time.perf_counter()
            _, y = network.analyze(image, rate)
            coding = time.perf_counter()
            exact = model.context.of_image(rate, y.shape[1:3])
            sizes[0] += _size(y, exact)
            seconds += coding - start, time.perf_counter() - coding
            floats = FloatContext(params, model.config, rate, y.shape[1:3])
            sizes[1] += _size(y, floats)
        print(
            f"rate {rate}: {sizes[0]} bytes, {100 * (sizes[0] / sizes[1] - 1):+.2f} % "
            f"of the float model's; analysis {seconds[0]:.2f} s, "
            f"context model and coding {seconds[1]:.2f} s"
        )


def _size(y, context) -> int:
    encoder = RangeSymbolEncoder()
    encode_latent(y, context, encoder)
    return len(encoder.finish())


if __name__ == "__main__":
    main()
