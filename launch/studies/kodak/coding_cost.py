"""Breakdown of bytes and coding time of compressed files.

  python launch/studies/kodak/coding_cost.py MODEL PHOTO... [--workdir RUN]

Prints means over photos, whose sides must be multiples of the model's tile.  RUN is the
training run that MODEL was exported from, which has the context model before rounding.
"""

import time

import click
import jax.numpy as jnp
import numpy as np

from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec.codec import Codec
from dlf_jax.codec.container import parse
from dlf_jax.codec.latent_coding import encode_latent
from dlf_jax.data.image_io import read_image
from dlf_jax.entropy.four_step import FourStepContext
from dlf_jax.entropy_coding.coders import CODERS
from dlf_jax.entropy_coding.fixed_point import ONE
from dlf_jax.entropy_coding.range_coder import information
from dlf_jax.entropy_coding.tables import load_gaussian_tables
from dlf_jax.training.run.checkpointing import absolute, averaged, load_state

GAUSSIANS = load_gaussian_tables().rows


class Meter:
    """`SymbolEncoder` that sums -log2 of the probabilities instead of coding."""

    def __init__(self):
        self.bits = 0.0

    def encode(self, symbols, rows):
        """Adds the information content of symbols under the Gaussian tables."""
        self.bits += information(symbols, rows, GAUSSIANS).sum()


class FloatContext:
    """`latent_coding.ContextModel` of one image in floating point, as trained."""

    def __init__(self, params, config, rate, grid):
        self._model = FourStepContext(
            config.latent_channels, config.num_rates, config.num_spatial_blocks
        )
        self._params = params
        self._prior = self._apply("prior", jnp.array([rate]), grid)
        self.quant_step = np.asarray(self._prior.step)[0]
        self.skip_threshold = config.skip_threshold

    def _apply(self, method, *args):
        return self._model.apply({"params": self._params}, *args, method=method)

    def step(self, part, decoded):
        """Scales and means of a part, in units of 1/`ONE` like `decoded`."""
        decoded = jnp.asarray(decoded[None] / ONE, jnp.float32)
        parts = self._apply("step", part, decoded, self._prior)
        return tuple(ONE * np.asarray(x[0], np.float64) for x in parts)


class TimedContext:
    """Integer context model of one image, with a timer."""

    def __init__(self, model, rate, grid):
        start = time.perf_counter()
        self._context = model.of_image(rate, grid)
        self.seconds = time.perf_counter() - start
        self.quant_step = self._context.quant_step
        self.skip_threshold = self._context.skip_threshold

    def step(self, part, decoded):
        """Scales and means of a part."""
        start = time.perf_counter()
        result = self._context.step(part, decoded)
        self.seconds += time.perf_counter() - start
        return result


@click.command()
@click.argument("model_name", metavar="MODEL")
@click.argument("photos", nargs=-1, required=True)
@click.option("--workdir", metavar="RUN")
def main(model_name: str, photos: tuple[str, ...], workdir: str | None) -> None:
    """Prints bytes and seconds, one line per rate."""
    model = load_model(model_name)
    floats = None
    if workdir:
        state, _ = load_state(absolute(workdir))
        floats = averaged(state)["context"]
    codec = Codec(model)
    images = [read_image(photo) for photo in photos]
    for shape in {image.shape for image in images}:  # compile
        codec.decompress(codec.compress(np.zeros(shape, np.uint8)))
    rows = [
        np.mean([measure(codec, floats, i, rate) for i in images], axis=0)
        for rate in range(model.config.num_rates)
    ]
    print("bytes: file = header + tokens + details + overhead (tokens at fixed length)")
    for rate, row in enumerate(rows):
        print(
            "rate {}: {:.1f} = {:.1f} + {:.1f} + {:.1f} + {:.2f} ({:.1f})".format(
                rate, *row[:6]
            )
        )
    print("seconds: encode, decode; context model (% of both); with coding (% of both)")
    for rate, row in enumerate(rows):
        shares = [100 * part / whole for part in row[8:10] for whole in row[6:8]]
        print(
            "rate {}: {:.3f}, {:.3f}; {:.4f} ({:.1f} %, {:.1f} %), "
            "{:.4f} ({:.1f} %, {:.1f} %)".format(
                rate, *row[6:9], *shares[:2], row[9], *shares[2:]
            )
        )
    if floats is not None:
        print("details under the integer context model, relative to the trained one")
        for rate, row in enumerate(rows):
            print(f"rate {rate}: {100 * (row[3] / row[10] - 1):+.2f} %")


def measure(codec, floats, image, rate) -> list[float]:
    """Measures one photo at one rate: bytes, then seconds."""
    start = time.perf_counter()
    data, code = codec.encode(image, rate)
    encoded = time.perf_counter()
    codec.decompress(data)
    decoded = time.perf_counter()
    y = codec.network.analyze(image).latent(rate)
    grid = y.shape[1:3]
    coding = time.perf_counter()
    exact = TimedContext(codec.model.context, rate, grid)
    encode_latent(y, exact, CODERS[0].encoder(GAUSSIANS))
    coded = time.perf_counter()
    seconds = encoded - start, decoded - encoded, exact.seconds, coded - coding

    payload = len(parse(data).payload)
    positions = np.arange(code.tokens.shape[1]) % len(codec.model.tokens)
    bits = [
        codec.model.tokens[row].bits[column]
        for row, column in zip(positions, code.tokens.T, strict=True)
    ]
    tokens = np.sum(bits) / 8
    fixed = code.tokens.size * np.log2(codec.model.config.codebook_size) / 8
    details = _details(y, exact)
    trained = np.nan
    if floats is not None:
        trained = _details(y, FloatContext(floats, codec.model.config, rate, grid))
    overhead = payload - tokens - details
    sizes = len(data), len(data) - payload, tokens, details, overhead, fixed
    return [*sizes, *seconds, trained]


def _details(y, context) -> float:
    meter = Meter()
    encode_latent(y, context, meter)
    return meter.bits / 8


if __name__ == "__main__":
    main()
