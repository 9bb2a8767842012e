"""Pictures computed tile by tile are those that the network computes as a whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec import network
from dlf_jax.codec.codec import Codec
from dlf_jax.codec.network import CompiledNetwork
from dlf_jax.codec.tile_programs import TileProgram
from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS
from dlf_jax.models.dlf import DLF
from dlf_jax.ops.links import Places, linked_tiles, positions, roll, with_neighbours
from dlf_jax.ops.pixels import to_signed, to_uint8
from tests.codec.tiny import make_model, random_image
from tests.configs import tiny

# All kinds of layers that nano has, and four windows in a tile of 16 pixels.
LOCAL = tiny(
    window=2,
    stem_channels=4,
    num_rates=2,
    vqgan={"norm_groups": 0, "linear_path": True, "texture_channels": 3},
)
SIZES = (2, 5)  # tiles of a small and of a large chunk
GRIDS = [(1, 1), (1, 6), (5, 3)]
CHUNKS = [(1, 1), (5, 3)]  # one that is padded, and several of both sizes


@pytest.fixture(scope="module")
def local_model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("local")
    make_model(directory, seed=3, name="local", config=LOCAL)
    return load_model(directory)


@pytest.fixture(scope="module")
def small_chunks():
    with pytest.MonkeyPatch.context() as patch:
        pixels = tuple(size * LOCAL.tile_size**2 for size in SIZES)
        patch.setattr(network, "_CHUNKS", pixels)
        yield


@pytest.fixture(scope="module")
def by_tiles(local_model, small_chunks):
    return CompiledNetwork(local_model, DEFAULT_LIMITS.memory)


def picture(grid, seed=0):
    return random_image(*(side * LOCAL.tile_size for side in grid), seed)


@pytest.mark.parametrize("grid", CHUNKS, ids=str)
def test_analysis_is_that_of_whole_pictures(by_tiles, local_model, grid):
    image = picture(grid)
    variables = {"params": jax.tree.map(jnp.asarray, dict(local_model.params))}
    rate = jnp.full(1, 0.5)
    wanted = jax.jit(
        lambda x: DLF(LOCAL).apply(variables, to_signed(x), rate, method="analyze")
    )(image[None])
    found = by_tiles.analyze(image)
    np.testing.assert_array_equal(found.tokens, wanted.tokens)
    np.testing.assert_allclose(found.latent(0.5), wanted.y, atol=2e-4)
    assert np.std(wanted.y) > 0.1


@pytest.mark.parametrize("grid", CHUNKS, ids=str)
def test_synthesis_is_that_of_whole_pictures(by_tiles, local_model, grid):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, LOCAL.codebook_size, (grid[0] * grid[1], LOCAL.num_tokens))
    tokens = tokens.astype(np.int32)
    cells = LOCAL.tile_size // LOCAL.detail_stride
    shape = 1, grid[0] * cells, grid[1] * cells, LOCAL.latent_channels
    latent = 3 * rng.normal(size=shape).astype(np.float32)
    variables = {"params": jax.tree.map(jnp.asarray, dict(local_model.params))}
    rate = jnp.ones(1)
    wanted = jax.jit(
        lambda *args: to_uint8(DLF(LOCAL).apply(variables, *args, method="synthesize"))
    )(tokens, latent, rate)
    found = by_tiles.synthesize(tokens, latent, 1)
    difference = np.abs(found.astype(int) - np.asarray(wanted[0]))
    assert difference.max() <= 1
    assert np.mean(difference) < 1e-3
    assert np.std(found) > 10


def test_codec_of_tiles(local_model, small_chunks):
    codec = Codec(local_model)
    images = [random_image(*size) for size in ((40, 70), (1, 1), (33, 16))]
    files = codec.compress(images)
    assert files == [codec.compress(image) for image in images]
    assert [codec.decompress(f).shape for f in files] == [i.shape for i in images]


def test_memory_is_limited(local_model, small_chunks):
    poor = CompiledNetwork(local_model, 100_000)
    poor.analyze(picture((1, 1)))
    with pytest.raises(UserError, match="GiB of memory for this image"):
        poor.analyze(picture((10, 10)))


SIDE = 4


def filters(size):
    """A function that shows every kind of link, and a reference on whole maps."""
    kernel = np.random.default_rng(1).normal(size=(size, size, 2, 2))
    kernel = kernel.astype(np.float32)

    def on_maps(params, x):
        reach = size // 2
        x = jnp.tanh(roll(x, -2)) * params["scale"]
        x, sides = with_neighbours(x, 2 * ((reach, reach),))
        x = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), sides, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = roll(x, 2)
        row, col = positions(*x.shape[1:3])
        return x + jnp.sin(row[:, :, None, None] + 2.0 * col[:, None, :, None])

    return on_maps


class Build:
    """A build function of `filters` that counts its calls."""

    def __init__(self, size=3):
        self.calls, self.function = 0, filters(size)

    def __call__(self):
        self.calls += 1

        def of_tiles(params, place, last, x):
            with linked_tiles(Places(place, last)):
                return (self.function(params, x),)

        return of_tiles


PARAMS = {"scale": np.float32(2.0)}


def program(build, **options):
    tile = jax.ShapeDtypeStruct((SIDE, SIDE, 2), np.float32)
    device = jax.local_devices()[0]
    return TileProgram(build, PARAMS, {"name": "f"}, [tile], device, SIZES, **options)


def maps(*grids):
    rng = np.random.default_rng(0)
    return [
        rng.normal(size=(SIDE * down, SIDE * across, 2)).astype(np.float32)
        for down, across in grids
    ]


@pytest.mark.parametrize("size", [1, 3, 5])
def test_links(size, no_cache):
    build = Build(size)
    run = program(build)
    for grid in GRIDS:
        arrays = maps(grid)
        ((found,),) = run([grid], arrays)
        wanted = build.function(PARAMS, jnp.asarray(arrays[0][None]))[0]
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert build.calls == len(SIZES)


def test_pictures_of_a_batch_are_those_alone(no_cache):
    run = program(Build())
    arrays = maps(*GRIDS)
    (found,) = run(GRIDS, arrays)
    for grid, array, together in zip(GRIDS, arrays, found, strict=True):
        ((alone,),) = run([grid], [array])
        np.testing.assert_array_equal(together, alone)


def test_plans_are_kept_for_later_processes(tmp_path, no_cache):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    first, second = Build(), Build()
    arrays = maps((3, 5))
    ((wanted,),) = program(first)([(3, 5)], arrays)
    ((found,),) = program(second)([(3, 5)], arrays)
    np.testing.assert_array_equal(found, wanted)
    assert (first.calls, second.calls) == (1, 0)


def test_what_failed_once_is_tried_again(no_cache):
    build, failures = Build(), [MemoryError("for now")]

    def sometimes():
        if failures:
            raise failures.pop()
        return build()

    run = program(sometimes)
    with pytest.raises(MemoryError, match="for now"):
        run([(1, 1)], maps((1, 1)))
    assert len(run([(1, 1)], maps((1, 1)))) == 1
