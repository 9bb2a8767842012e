"""Analysis and synthesis of a model as ONNX, for images of any size.

Sizes of the graphs count tiles: an image has shape (rows of tiles, pixels of a tile's
height, columns of tiles, pixels of a tile's width, 3), which is the order of its pixels
in memory.  Weights are stored as in the model directory and widened by the graph.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

from dlf_jax.browser.jaxpr_to_onnx import convert
from dlf_jax.checkpoints import int8
from dlf_jax.checkpoints.arrays import read_safetensors
from dlf_jax.checkpoints.directory import MODEL_FILE, model_directory
from dlf_jax.checkpoints.store import load_model
from dlf_jax.files import replacing
from dlf_jax.models.config import DLFConfig
from dlf_jax.models.dlf import DLF
from dlf_jax.ops.pixels import to_signed, to_uint8
from dlf_jax.paths import nest

ANALYSIS_FILE = "analyze.onnx"
SYNTHESIS_FILE = "synthesize.onnx"

_ANALYSIS = ("encoder", "tokens", "analysis")
_SYNTHESIS = ("tokens", "synthesis", "decoder", "fusion", "vqgan")


def write_networks(name_or_dir: Path | str, directory: Path) -> None:
    """Writes `ANALYSIS_FILE` and `SYNTHESIS_FILE` of a model.

    The analysis maps ``image``, uint8, and ``rate``, float32 [1], to ``tokens``, int32
    [rows, columns, tokens of a tile], and ``latent``, float32 [rows, cells, columns,
    cells, channels].  The synthesis maps ``tokens``, ``latent`` and ``rate`` to
    ``image``.

    Args:
      name_or_dir: bundled model or model directory.
      directory: exists; files of an earlier model in it are replaced.

    Raises:
      UserError: there is no such model, its files are damaged, or onnx is missing.
    """
    config = load_model(name_or_dir).config
    stored = read_safetensors(model_directory(name_or_dir) / MODEL_FILE)
    down, across = _tiles(config)
    cells, tile = config.tile_size // config.detail_stride, config.tile_size
    image = jax.ShapeDtypeStruct((down, tile, across, tile, 3), np.uint8)
    tokens = jax.ShapeDtypeStruct((down, across, config.num_tokens), np.int32)
    shape = down, cells, across, cells, config.latent_channels
    latent = jax.ShapeDtypeStruct(shape, np.float32)
    rate = jax.ShapeDtypeStruct((1,), np.float32)
    analysis = _converted(
        _analyze(config),
        {path: a.read() for path, a in stored.items() if _part(path) in _ANALYSIS},
        {"image": image, "rate": rate},
        ["tokens", "latent"],
    )
    synthesis = _converted(
        _synthesize(config),
        {path: a.read() for path, a in stored.items() if _part(path) in _SYNTHESIS},
        {"tokens": tokens, "latent": latent, "rate": rate},
        ["image"],
    )
    with (
        replacing(directory / ANALYSIS_FILE) as analysis_file,
        replacing(directory / SYNTHESIS_FILE) as synthesis_file,
    ):
        analysis_file.write_bytes(analysis.SerializeToString())
        synthesis_file.write_bytes(synthesis.SerializeToString())


def _tiles(config: DLFConfig) -> tuple[Any, Any]:
    """The number of tiles down and across, as variables."""
    half = config.window // 2
    # Shifts by half a window: jax does not see that these are less than a side.
    facts = [
        f"mod({shift}, {config.grid}*{name}) == {shifted}"
        for name in ("rows", "columns")
        for shift, shifted in ((half, half), (-half, f"{config.grid}*{name} - {half}"))
    ]
    return export.symbolic_shape("rows, columns", constraints=facts)


def _converted(
    function: Callable,
    weights: dict[str, np.ndarray],
    inputs: Mapping[str, jax.ShapeDtypeStruct],
    outputs: list[str],
) -> Any:
    """The ONNX model of a function of (parameter tree, *inputs)."""
    paths, narrowed = sorted(weights), int8.parts(weights)
    scales, kernels = narrowed[: len(narrowed) // 2], narrowed[len(narrowed) // 2 :]

    def of_stored(*arguments):
        arrays, rest = arguments[: len(paths)], arguments[len(paths) :]
        floats = {
            path: array.astype(np.float32)
            for path, array in zip(paths, arrays, strict=True)
        }
        for scale, kernel in zip(scales, kernels, strict=True):
            floats[kernel] *= floats.pop(scale)
        return function(nest(floats), *rest)

    stored = [jax.ShapeDtypeStruct(weights[p].shape, weights[p].dtype) for p in paths]
    closed = jax.make_jaxpr(of_stored)(*stored, *inputs.values())
    return convert(closed, [*paths, *inputs], weights, outputs)


def _analyze(config: DLFConfig) -> Callable:
    tile, stride = config.tile_size, config.detail_stride

    def analyze(params, image, rate):
        down, _, across, _, _ = image.shape
        image = to_signed(image.reshape(1, down * tile, across * tile, 3))
        result = DLF(config).apply({"params": params}, image, rate, method="analyze")
        cells = down, tile // stride, across, tile // stride, -1
        return result.tokens.reshape(down, across, -1), result.y.reshape(cells)

    return analyze


def _synthesize(config: DLFConfig) -> Callable:
    tile, stride = config.tile_size, config.detail_stride

    def synthesize(params, tokens, latent, rate):
        down, across, length = tokens.shape
        height, width = down * tile // stride, across * tile // stride
        tokens = tokens.reshape(down * across, length)
        latent = latent.reshape(1, height, width, latent.shape[-1])
        image = DLF(config).apply(
            {"params": params}, tokens, latent, rate, method="synthesize"
        )
        return to_uint8(image).reshape(down, tile, across, tile, 3)

    return synthesize


def _part(path: str) -> str:
    return path.partition("/")[0]
