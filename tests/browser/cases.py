"""Files and their contents, for the tests in JavaScript."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dlf_jax.browser.tables import write_tables
from dlf_jax.checkpoints.arrays import in_memory, write_safetensors
from dlf_jax.codec.codec import Codec
from dlf_jax.codec.container import Header, ParsedFile, pack, parse
from dlf_jax.codec.encoded import Code
from dlf_jax.codec.network import Analysis
from dlf_jax.errors import UserError


def write_cases(
    folder: Path,
    codec: Codec,
    model: str,
    images: Iterable[tuple[str, np.ndarray, int]],
    num_damaged: int,
) -> None:
    """Writes files of images, their contents, and damaged variants.

    Args:
      folder: receives ``cases.json``, the tables of the model, and for each image
        ``NAME.dlf`` and ``NAME.safetensors``.
      codec: of the model.
      model: name or directory.
      images: name, image and rate.  Variants are those of the first image.
      num_damaged: number of variants, each with a right checksum.
    """
    write_tables(model, folder)
    analyze, files = codec.network.analyze, []
    for name, image, rate in images:
        results = []

        def record(image, results=results):
            results.append(analyze(image))
            return results[0]

        codec.network.analyze = record
        try:
            data, code = codec.encode(image, rate)
        finally:
            codec.network.analyze = analyze
        (folder / f"{name}.dlf").write_bytes(data)
        arrays = {
            "tokens": np.int32(code.tokens),
            "symbols": np.int32(code.symbols),
            "latent": code.y_hat,
            "analysis": results[0].latent(rate),
        }
        write_safetensors(folder / f"{name}.safetensors", in_memory(arrays))
        height, width, _ = image.shape
        files.append({"name": name, "width": width, "height": height, "rate": rate})
    first = parse((folder / f"{files[0]['name']}.dlf").read_bytes())
    rng = np.random.default_rng(0)
    damaged = [_damaged(rng, codec, first) for _ in range(num_damaged)]
    cases = {"files": files, "damaged": damaged, "maxPixels": codec.limits.pixels}
    (folder / "cases.json").write_text(json.dumps(cases))


def synthetic_analysis(codec: Codec, seed: int):
    """A replacement of `CompiledNetwork.analyze` by random values, with outliers."""
    rng = np.random.default_rng(seed)
    config = codec.model.config

    def analyze(image: np.ndarray) -> Analysis:
        height, width, _ = image.shape
        tile, cells = config.tile_size, config.tile_size // config.detail_stride
        down, across = -(-height // tile), -(-width // tile)
        grid, tiles = (down * cells, across * cells), down * across
        tokens = rng.integers(config.codebook_size, size=(tiles, config.num_tokens))
        shape = (*grid, config.latent_channels)
        values = rng.standard_t(2, size=shape).astype(np.float32)

        def latent(rate):
            step = codec.model.context.of_image(rate, grid).quant_step
            return (values * step)[None]

        return Analysis(tokens.astype(np.int32), latent)

    return analyze


def _damaged(rng: np.random.Generator, codec: Codec, file: ParsedFile) -> dict:
    """A file with a wrong header or payload; a sum of its symbols, None if rejected."""
    header, payload = file.header, bytearray(file.payload)
    fields = [header.rate, header.width, header.height]
    coder = int(rng.random() < 0.05)
    if rng.random() < 0.4:
        fields[rng.integers(3)] = int(rng.choice([0, 1, 2, 3, 127, 129, 2**31, 2**34]))
    for _ in range(rng.integers(4)):
        payload[rng.integers(len(payload))] = rng.choice([0, 255, rng.integers(256)])
    if rng.random() < 0.3:
        payload = payload[: rng.integers(len(payload))]
    model = header.model_id if rng.random() < 0.95 else b"abc"
    data = pack(Header(model, *fields, coder), bytes(payload))
    try:
        _, code = codec.decode(data)
    except UserError:
        return {"hex": data.hex(), "sum": None}
    if coder:  # TensorFlow's, which Python may have, but no page
        return {"hex": data.hex(), "sum": None}
    return {"hex": data.hex(), "sum": _sum(code)}


def _sum(code: Code) -> int:
    values = np.concatenate([np.ravel(code.tokens), np.ravel(code.symbols)])
    return int(np.arange(1, 1 + values.size) @ values.astype(np.int64))
