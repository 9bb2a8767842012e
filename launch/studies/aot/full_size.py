"""Memory and time of a full-size model: converts and runs a random checkpoint.

  python launch/studies/aot/full_size.py KEYS.json PHOTO... --workdir DIR

KEYS.json lists the arrays of a checkpoint under their official names: {"keys":
[{"name", "shape", "dtype"}, ...]}.  Every step runs in a separate process, to
measure its peak memory; mapped files count only as far as they are read.
"""

import json
import math
import multiprocessing
import re
import resource
import time
from pathlib import Path

import click
import numpy as np

# Mean and standard deviation by the first regex that matches name and number of axes;
# otherwise 0 and 1/sqrt(fan-in).  The values preserve the magnitude of activations and
# give symbols scales around 1.
_VALUES = (
    (r".*(\.weight|running_var) 1", (1.0, 0.1)),
    (r".*(layer_scale|\.enc_q|\.dec_q) \d", (1.0, 0.1)),
    (r".*y_(prior_fusion\.1|spatial_prior\.2)\.block\.1\.conv_out\.bias 1", (1.0, 0.3)),
    (r".*(pos_emb|pos_embedding|prior_vec) \d", (0.0, 0.5)),
    (r".*(bias|running_mean) 1", (0.0, 0.05)),
)


def make_state(keys: Path, file: Path) -> None:
    """Writes a seeded random state dict, array by array."""
    from dlf_jax.checkpoints.arrays import LazyArray, write_safetensors

    arrays = {}
    for i, key in enumerate(json.loads(keys.read_text())["keys"]):
        shape, dtype = tuple(key["shape"]), np.dtype(key["dtype"])
        arrays[key["name"]] = LazyArray(
            shape, dtype, lambda i=i, key=key: _random(key, np.random.default_rng(i))
        )
    file.unlink(missing_ok=True)
    write_safetensors(file, arrays)
    print(f"  {len(arrays)} arrays, {file.stat().st_size / 1e9:.2f} GB")


def _random(key: dict, rng: np.random.Generator) -> np.ndarray:
    """Values of one array."""
    name, shape = key["name"], key["shape"]
    if name.endswith("_mask"):
        from dlf_jax.ops.windows import shift_masks

        upper_lower, left_right = shift_masks(math.isqrt(shape[0]))
        return upper_lower if name.endswith("upper_lower_mask") else left_right
    if key["dtype"] != "float32":
        return np.zeros(shape, key["dtype"])
    mean, deviation = next(
        (v for p, v in _VALUES if re.fullmatch(p, f"{name} {len(shape)}")),
        (0.0, math.prod(shape[1:]) ** -0.5),
    )
    return mean + np.float32(deviation) * rng.standard_normal(shape, np.float32)


def convert(file: Path, directory: Path) -> None:
    """Converts the state dict to a model directory."""
    from dlf_jax.checkpoints.convert import convert

    report = convert([file], directory, name="full-size", overwrite=True)
    print(
        f"  {report.num_values[0]:,} parameters, {report.num_values[1]:,} for training"
    )


def load(directory: Path) -> None:
    """Loads the model only."""
    from dlf_jax.checkpoints.store import load_model

    start = time.perf_counter()
    load_model(directory)
    print(f"  {time.perf_counter() - start:.2f} s without imports")


def encode(directory: Path, photo: Path, file: Path) -> None:
    """Compresses a photo twice; the first time includes compilation."""
    from dlf_jax.data.image_io import read_image

    codec, image = _codec(directory), read_image(photo)
    data = _twice("compress", lambda: codec.compress(image, 0))
    _twice("of it, context model and entropy coder", lambda: codec.decode(data))
    file.write_bytes(data)
    print(f"  {len(data):,} bytes, {8 * len(data) / image[..., 0].size:.4f} bpp")


def decode(directory: Path, file: Path, photo: Path) -> None:
    """Decompresses a photo twice; the first time includes compilation."""
    from dlf_jax.data.image_io import encode_image

    codec, data = _codec(directory), file.read_bytes()
    image = _twice("decompress", lambda: codec.decompress(data))
    _twice("of it, context model and entropy coder", lambda: codec.decode(data))
    photo.write_bytes(encode_image(image, ".png"))
    print(f"  pixels {image.mean():.1f} ± {image.std():.1f}")


def _codec(directory: Path):
    from dlf_jax.checkpoints.store import load_model
    from dlf_jax.codec.codec import Codec
    from dlf_jax.compile_cache import enable_compile_cache

    enable_compile_cache()
    start = time.perf_counter()
    codec = Codec(load_model(directory))
    print(f"  load: {time.perf_counter() - start:.2f} s")
    return codec


def _twice(what: str, function):
    """Runs a function twice, prints the seconds of both, and returns its result."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    print(f"  {what}: {seconds[0]:.2f} s, again {seconds[1]:.2f} s")
    return result


def _measured(function, *arguments) -> None:
    start = time.perf_counter()
    function(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"  {time.perf_counter() - start:.2f} s in all, peak {peak:.2f} GiB", flush=True
    )


_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("keys", metavar="KEYS.json", type=_PATH)
@click.argument("photos", metavar="PHOTO...", type=_PATH, nargs=-1, required=True)
@click.option("--workdir", metavar="DIR", type=_PATH, required=True)
def main(keys: Path, photos: tuple[Path, ...], workdir: Path) -> None:
    """Converts and runs a random checkpoint with the arrays that KEYS.json lists.

    Every step runs in a process of its own, and prints its time and peak memory.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    state, model = workdir / "state.safetensors", workdir / "model"

    steps = [(make_state, keys, state), (convert, state, model), (load, model)]
    for photo in photos:
        file, decoded = (workdir / f"{photo.stem}{end}" for end in (".dlf", ".png"))
        steps += [(encode, model, photo, file), (decode, model, file, decoded)]
    context = multiprocessing.get_context("spawn")
    for function, *arguments in steps:
        print(f"{function.__name__} {' '.join(map(str, arguments))}", flush=True)
        process = context.Process(target=_measured, args=(function, *arguments))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
