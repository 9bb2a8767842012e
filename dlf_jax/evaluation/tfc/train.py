"""Trains a baseline at several rates, from the largest files to the smallest.

    python train.py bmshj2018 PHOTOS -o runs/tfc --lambdas 0.0015 0.0004 --minutes 90 60

writes `bmshj2018-1.npz` (the first λ, the larger files) and `bmshj2018-0.npz` into
runs/tfc.  Each λ starts from the weights of the previous λ.
"""

import argparse
import functools
import time
from pathlib import Path

import models
import numpy as np
import tensorflow as tf
from PIL import Image

CROP = 128
BATCH = 4


def main() -> None:
    """Reads the command line and trains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("photos", type=Path, help="a folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="a folder")
    parser.add_argument("--minutes", type=float, nargs="+", help="for each λ")
    parser.add_argument("--lambdas", type=float, nargs="+", help="weights of the error")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    tf.keras.utils.set_random_seed(options.seed)
    crops = _crops(sorted(options.photos.iterdir()), options.seed)
    model = models.make_model(options.model)
    options.output.mkdir(parents=True, exist_ok=True)
    pairs = zip(options.lambdas, options.minutes, strict=True)
    for i, (lmbda, minutes) in enumerate(pairs):
        _train(model, crops, lmbda, 60 * minutes, 1e-3 if i == 0 else 5e-4)
        rate = len(options.lambdas) - 1 - i
        models.save(model, str(options.output / f"{options.model}-{rate}.npz"))


def _train(model, crops, lmbda: float, seconds: float, peak: float) -> None:
    """Minimises bits per pixel + λ · squared error with Adam.

    The learning rate decays linearly in the last third."""
    optimizer = tf.keras.optimizers.legacy.Adam(peak)

    @tf.function
    def step(batch):
        with tf.GradientTape() as tape:
            bpp, error = model.rate_and_error(tf.cast(batch, tf.float32))
            loss = bpp + lmbda * error
        variables = model.trainable_variables
        gradients = tape.gradient(loss, variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 5.0)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return bpp, error

    start, count, recent = time.monotonic(), 0, []
    while (done := (time.monotonic() - start) / seconds) < 1:
        optimizer.learning_rate = peak * min(1.0, 3 * (1 - done) + 0.01)
        recent.append([float(value) for value in step(next(crops))])
        count += 1
        if count % 100 == 0:
            bpp, error = np.mean(recent, 0)
            psnr = 10 * np.log10(255**2 / error)
            print(f"λ {lmbda}: step {count}, {bpp:.4f} bpp, {psnr:.2f} dB", flush=True)
            recent = []


def _crops(paths: list[Path], seed: int):
    """Batches of random square crops, uint8."""
    rng = np.random.default_rng(seed)
    while True:
        batch = []
        for path in rng.choice(paths, BATCH):
            image = _read(path)
            top, left = (rng.integers(0, side - CROP + 1) for side in image.shape[:2])
            batch.append(image[top : top + CROP, left : left + CROP])
        yield np.stack(batch)


@functools.lru_cache(maxsize=1000)
def _read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


if __name__ == "__main__":
    main()
