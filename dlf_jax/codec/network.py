"""Analysis and synthesis of a loaded model as compiled functions of host arrays.

The functions below import the model while tracing: programs from the cache need no
model code.
"""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import numpy as np

from dlf_jax.checkpoints.store import LoadedModel
from dlf_jax.codec.programs import Program
from dlf_jax.codec.tile_programs import TileProgram
from dlf_jax.entropy_coding.rates import Number
from dlf_jax.models.config import DLFConfig
from dlf_jax.ops.pixels import to_signed, to_uint8
from dlf_jax.typing import Float, Int, UInt8

# Pixels of a small and of a large chunk of tiles.
_CHUNKS = (4 * 128**2, 24 * 128**2)


@dataclasses.dataclass(frozen=True)
class Analysis:
    """An image, analysed.

    Attributes:
      tokens: semantic code indices, tiles in reading order.
      latent: maps a rate to the detail latent before quantisation, (1, h, w, N).
    """

    tokens: Int[np.ndarray, "T K"]
    latent: Callable[[Number], np.ndarray]


class CompiledNetwork:
    """Analysis and synthesis of single images.

    The context model is not compiled: it computes in integers on the host, so that
    every machine decodes a file to the same symbols.

    Args:
      model: the model.
      max_memory: most bytes of one run, see `Program` and `TileProgram`.
    """

    def __init__(self, model: LoadedModel, max_memory: int):
        self._config = config = model.config
        device = jax.local_devices()[0]
        tile, cells = config.tile_size, config.tile_size // config.detail_stride
        image = jax.ShapeDtypeStruct((tile, tile, 3), np.uint8)
        tokens = jax.ShapeDtypeStruct((config.num_tokens,), np.int32)
        detail, latent = (
            jax.ShapeDtypeStruct((cells, cells, channels), np.float32)
            for channels in (config.detail_width, config.latent_channels)
        )
        rate = jax.ShapeDtypeStruct((), np.float32)
        # Elsewhere, the host would wait for copies between a device and its memory.
        by_tiles = config.is_local and device.platform == "cpu"
        sizes = tuple(max(1, pixels // tile**2) for pixels in _CHUNKS)

        def program(build, parts, *inputs):
            params = {part: model.params[part] for part in parts}
            identity = {"name": build.__name__, "config": config.to_dict()}
            if by_tiles:
                return TileProgram(
                    lambda: _of_tiles(build(config)),
                    params,
                    identity,
                    inputs,
                    device,
                    sizes,
                    max_memory,
                )
            whole = Program(lambda: build(config), params, identity, device, max_memory)
            return _OfPictures(whole, inputs)

        self._encode = program(_encode, ("encoder", "tokens"), image)
        self._latent = program(_latent, ("analysis",), detail, rate)
        self._synthesize = program(
            _synthesize,
            ("tokens", "synthesis", "decoder", "fusion", "vqgan"),
            tokens,
            latent,
            rate,
        )

    def prepare_synthesis(self, grid: tuple[int, int]) -> None:
        """Starts to compile `synthesize` for a grid of the latent."""
        self._synthesize.prepare(self._tiles(grid))

    def analyze(self, image: UInt8[np.ndarray, "H W 3"]) -> Analysis:
        """Analyses an image, extended to whole tiles by its edges."""
        tile = self._config.tile_size
        tiles = -(-image.shape[0] // tile), -(-image.shape[1] // tile)
        self._latent.prepare(tiles)
        (tokens,), details = self._encode([tiles], [image])

        def latent(rate):
            ((y,),) = self._latent([tiles], details, [_rates(rate, tiles)])
            return y[None]

        return Analysis(tokens, latent)

    def synthesize(
        self,
        tokens: Int[np.ndarray, "T K"],
        y_hat: Float[np.ndarray, "1 h w N"],
        rate: Number,
    ) -> UInt8[np.ndarray, "H W 3"]:
        """The image of decoded tokens and latent, rounded half up."""
        tiles = self._tiles(y_hat.shape[1:3])
        rates = _rates(rate, tiles)
        ((image,),) = self._synthesize([tiles], [tokens], [y_hat[0]], [rates])
        return image

    def _tiles(self, grid: tuple[int, ...]) -> tuple[int, int]:
        """Tiles down and across, of a grid of the latent."""
        cells = self._config.tile_size // self._config.detail_stride
        return grid[0] // cells, grid[1] // cells


class _OfPictures:
    """A program of whole pictures, with the interface of `TileProgram`."""

    def __init__(self, program: Program, inputs: Sequence[jax.ShapeDtypeStruct]):
        self._program = program
        self._inputs = inputs

    def prepare(self, *grids: tuple[int, int]) -> None:
        for grid in grids:
            structs = (
                jax.ShapeDtypeStruct(self._shape(tile.shape, grid), tile.dtype)
                for tile in self._inputs
            )
            self._program.prepare(*structs)

    def __call__(
        self, grids: Sequence[tuple[int, int]], *arrays: Sequence[np.ndarray]
    ) -> list[list[np.ndarray]]:
        found = []
        for grid, *given in zip(grids, *arrays, strict=True):
            shapes = (self._shape(tile.shape, grid) for tile in self._inputs)
            whole = map(_extended, given, shapes)
            results = map(np.asarray, self._program(*whole))
            found.append([r[0] if r.ndim == 4 else r for r in results])
        return [list(results) for results in zip(*found, strict=True)]

    @staticmethod
    def _shape(tile: tuple[int, ...], grid: tuple[int, int]) -> tuple[int, ...]:
        down, across = grid
        match tile:
            case ():
                return (1,)
            case (length,):
                return (down * across, length)
            case (height, width, channels):
                return (1, down * height, across * width, channels)


def _extended(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array of one picture in the shape of a program's argument."""
    if array.ndim < 3:  # one rate for all tiles
        return array[: shape[0]]
    missing = np.subtract(shape[1:], array.shape)
    return np.pad(array, [(0, n) for n in missing], mode="edge")[None]


def _of_tiles(function: Callable) -> Callable:
    from dlf_jax.ops.links import Places, linked_tiles

    def of_tiles(params, place, last, *arrays):
        with linked_tiles(Places(place, last)):
            return function(params, *arrays)

    return of_tiles


def _encode(config: DLFConfig) -> Callable:
    from dlf_jax.models.dlf import DLF

    def encode(params, images):
        images = to_signed(images)
        result = DLF(config).apply({"params": params}, images, method="encode")
        return result.tokens, result.detail

    return encode


def _latent(config: DLFConfig) -> Callable:
    from dlf_jax.models.dlf import DLF

    def latent(params, detail, rate):
        variables = {"params": params}
        return (DLF(config).apply(variables, detail, rate, method="latent"),)

    return latent


def _synthesize(config: DLFConfig) -> Callable:
    from dlf_jax.models.dlf import DLF

    def synthesize(params, tokens, y_hat, rate):
        images = DLF(config).apply(
            {"params": params}, tokens, y_hat, rate, method="synthesize"
        )
        return (to_uint8(images),)

    return synthesize


def _rates(rate: Number, tiles: tuple[int, int]) -> Float[np.ndarray, "T"]:
    return np.full(tiles[0] * tiles[1], rate, np.float32)
