"""Linear probe: how many details of a photo each stage of the codec preserves.

  python launch/studies/nano/linear_probe.py MODEL PHOTOS [--rate N] [--photos N]

The first table has the PSNR of pixels of a cell, predicted from the channels of each
stage by the best linear map, beside the PSNR of as many uncoded principal components of
the pixels.  The second table shows the principal components as a transform code: the
strongest ones, rounded with one step for all, each coded with its own frequencies.
Maps, components and frequencies are fitted on centre crops of training photos, and
measured on held-out ones.  PHOTOS has the syntax of `--config.data`.
"""

import click
import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.checkpoints.store import load_donor, read_directory
from dlf_jax.data.crops import center_crop
from dlf_jax.data.photos import Photos, split_holdout
from dlf_jax.data.sources import open_source
from dlf_jax.errors import UserError
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dlf import DLF
from dlf_jax.ops.tiling import pixel_unshuffle

_TILES, _BATCH = 2, 8  # tiles a side of a crop, crops a batch
_RIDGE = 1e-4  # of the variance of a channel
_CODED, _STEPS = 256, (10.0, 8.0, 6.5, 5.0, 4.0, 3.0)  # components, of [-1, 1] pixels
_UNSEEN = 0.02  # count of a symbol missing in the fitted cells
_STAGES = ("features", "latent", "rounded", "vqgan", "image", "bits")


def stages(config: DLFConfig, params, images: np.ndarray, rate: int) -> dict:
    """Maps [B, h, w, C] of the codec's stages for images in [-1, 1].

    In order: detail features of the encoder, coded latent, rounded latent, latent of
    the VQGAN, reconstruction; and the estimated bits [B] of the rounded latent.
    """

    def run(module, images, rates):
        vectors, features = module.encoder(images)
        latent = module.analysis(features, rates)
        coded = module.context(latent, module.prior(rates, latent.shape[1:3]))
        out = module(images, rates)
        image = module.reconstruct(out.latent)
        return features, latent, coded.y_hat, out.latent, image, out.bits_rounded

    apply = jax.jit(lambda *args: DLF(config).apply(args[0], *args[1:], method=run))
    batches = np.split(images, range(_BATCH, len(images), _BATCH))
    made = [apply({"params": params}, x, jnp.full(len(x), rate)) for x in batches]
    return dict(zip(_STAGES, map(np.concatenate, zip(*made, strict=True)), strict=True))


def cells(images: np.ndarray, side: int) -> np.ndarray:
    """Pixels of square cells, one row per cell: [B·h·w, 3·side²]."""
    squares = pixel_unshuffle(jnp.asarray(images), side)
    return np.asarray(squares).reshape(-1, 3 * side**2)


def linear_map(features: np.ndarray, pixels: np.ndarray, measured: np.ndarray):
    """Predicts the pixels of `measured` by ridge regression of pixels on features."""
    mean, centre = features.mean(0), pixels.mean(0)
    scale = features.std(0) + 1e-6
    x = (features - mean) / scale
    gram = x.T @ x + len(x) * _RIDGE * np.eye(x.shape[1], dtype=x.dtype)
    weights = np.linalg.solve(gram, x.T @ (pixels - centre))
    return (measured - mean) / scale @ weights + centre


def components(pixels: np.ndarray) -> np.ndarray:
    """Principal components of rows, strongest first, as columns [D, D]."""
    x = pixels - pixels.mean(0)
    return np.linalg.eigh(x.T @ x)[1][:, ::-1]


def coded_components(fitted: np.ndarray, kept: np.ndarray, side: int, basis):
    """Yields (bpp, PSNR) of a transform code of the cells of `kept` for every step."""
    pixels, target = cells(fitted, side), cells(kept, side)
    basis, centre = basis[:, :_CODED], pixels.mean(0)
    for step in _STEPS:
        seen, coded = (np.rint((x - centre) @ basis / step) for x in (pixels, target))
        bits = sum(map(_bits, seen.T, coded.T))
        left = coded * step @ basis.T + centre - target
        yield bits / (target.size / 3), psnr(left, len(kept))


def _bits(seen: np.ndarray, coded: np.ndarray) -> float:
    """Bits of the values `coded` under the frequencies of `seen`, both integers."""
    low = min(seen.min(), coded.min())
    seen, coded = ((x - low).astype(int) for x in (seen, coded))
    counts = np.bincount(seen, minlength=coded.max() + 1) + _UNSEEN
    return float(-np.log2(counts[coded] / counts.sum()).sum())


def psnr(error: np.ndarray, num_images: int) -> float:
    """PSNR in dB of errors of pixels in [-1, 1], averaged over images."""
    mse = np.mean(np.square(error).reshape(num_images, -1), axis=1) / 4
    return float(np.mean(-10 * np.log10(mse)))


def probe(config: DLFConfig, params, fitted: np.ndarray, kept: np.ndarray, rate: int):
    """Yields the lines of both tables as Markdown."""
    given, found = (stages(config, params, x, rate) for x in (fitted, kept))
    sides = (config.detail_stride, config.patch_size)
    bases = {side: components(cells(fitted, side)) for side in sides}
    yield "| stage | cell, px | channels | linear map, dB | principal components, dB |"
    yield "|---|---:|---:|---:|---:|"
    for stage in _STAGES[:-2]:
        channels = given[stage].shape[-1]
        side = fitted.shape[1] // given[stage].shape[1]
        pixels, target = cells(fitted, side), cells(kept, side)
        rows, measured = (x[stage].reshape(-1, channels) for x in (given, found))
        left = target - linear_map(rows, pixels, measured)
        basis, centred = bases[side][:, :channels], target - pixels.mean(0)
        best = centred - centred @ basis @ basis.T
        decibels = [f"{psnr(error, len(kept)):.2f}" for error in (left, best)]
        yield f"| {stage} | {side} | {channels} | {' | '.join(decibels)} |"
    left = np.clip(found["image"], -1, 1) - kept
    yield f"| image as it is | 1 | 3 | {psnr(left, len(kept)):.2f} | |"
    bpp = found["bits"].sum() / (kept.size / 3)
    yield f"\nThe latent takes {bpp:.4f} bpp.  Components as a transform code:"
    yield "\n| bpp | dB |\n|---:|---:|"
    side = config.detail_stride
    for bpp, decibels in coded_components(fitted, kept, side, bases[side]):
        yield f"| {bpp:.4f} | {decibels:.2f} |"


@click.command(help=__doc__)
@click.argument("model")
@click.argument("photos")
@click.option("--rate", default=0, show_default=True, help="Rate point.")
@click.option(
    "--photos",
    "count",
    type=click.IntRange(1),
    default=96,
    show_default=True,
    help="Maximum number of photos to fit, and to measure.",
)
def main(model: str, photos: str, rate: int, count: int) -> None:
    """Reads the command line and prints the tables."""
    try:
        description, _ = read_directory(model)
        params = load_donor(model)[1]
        source = open_source(photos)
    except UserError as error:
        raise click.UsageError(str(error)) from None
    config = DLFConfig.from_dict(description["config"])
    if rate not in range(config.num_rates):
        raise click.BadParameter(
            f"rate {rate} is not one of 0 to {config.num_rates - 1}"
        )
    params = jax.tree.map(lambda x: np.asarray(x, np.float32), params)
    parts = split_holdout(source)
    if not all(parts):
        raise click.BadParameter(
            f"{photos}: too few photos to hold some out for validation"
        )

    def crops(indices: list[int]) -> np.ndarray:
        every = -(-len(indices) // count)
        chosen = Photos(source, indices[::every], max_undecodable=0.0)
        side = _TILES * config.tile_size
        try:
            images = [center_crop(chosen[i], side) for i in range(len(chosen))]
        except UserError as error:
            raise click.UsageError(str(error)) from None
        return np.stack(images).astype(np.float32) / 127.5 - 1

    fitted, kept = map(crops, parts)
    print(f"{len(fitted)} crops fitted, {len(kept)} measured, rate {rate}")
    for line in probe(config, params, fitted, kept, rate):
        print(line)


if __name__ == "__main__":
    main()
