"""Networks are cut into few programs that hand on little."""

import jax
import jax.numpy as jnp
import numpy as np

from dlf_jax.codec.plan import Input
from dlf_jax.codec.segments import split
from dlf_jax.ops.links import Places, boundary, is_last, linked_tiles, roll


def cut(function, num_params=0):
    """The plan and the programs of a function of (*params, x) for two tiles."""

    def of_tiles(*args):
        *params, place, last, x = args
        with linked_tiles(Places(place, last)):
            return function(*params, x)

    struct = jax.ShapeDtypeStruct
    place, last = struct((2, 2), np.int32), struct((2, 2), np.bool_)
    x = struct((2, 4, 4, 3), np.float32)
    params = num_params * [struct((3,), np.float32)]
    return split(jax.make_jaxpr(of_tiles)(*params, place, last, x), num_params, 2)


def test_equal_blocks_share_a_program():
    def blocks(a, b, c, x):
        for scale in (a, b, c):
            x = boundary(jnp.tanh(boundary(x) * scale))
        return x

    plan, programs = cut(blocks, num_params=3)
    assert [segment.program for segment in plan.segments] == [0, 0, 0]
    assert [segment.params for segment in plan.segments] == [(0,), (1,), (2,)]
    assert len(programs) == 1
    function, avals = programs[0]
    x, scale = np.ones((2, 4, 4, 3), np.float32), np.full(3, 0.5, np.float32)
    assert [a.shape for a in avals] == [(3,), (2, 4, 4, 3)]
    np.testing.assert_allclose(function(scale, x)[0], np.tanh(x * scale), rtol=1e-6)


def test_different_blocks_do_not():
    def blocks(a, b, x):
        return boundary(jnp.tanh(boundary(x) * a)) * b

    _, programs = cut(blocks, num_params=2)
    assert len(programs) == 2


def test_a_wide_result_is_made_where_it_is_used():
    def wide(x):
        narrow = jnp.tanh(x)
        more = jnp.repeat(narrow, 5, axis=-1) + 1.0
        return more + roll(narrow, 2).sum(axis=-1, keepdims=True)

    plan, _ = cut(wide)
    (result,) = plan.results
    stored = [shape for n, shape in enumerate(plan.shapes) if n not in (0, 1, result)]
    assert stored == [(4, 4, 3), (4, 4, 3)]  # x and narrow


def test_what_depends_on_places_only_is_not_stored():
    def masked(x):
        row, _ = is_last(4, 4)
        x = jnp.where(row[:, :, None, None], 0.0, x)
        return jnp.where(row[:, :, None, None], 1.0, roll(x, 1))

    plan, _ = cut(masked)
    assert len(plan.segments) == 2
    for segment in plan.segments:
        assert Input(1) in segment.inputs
    rolled = Input(3, rows=(-1, 3), cols=(-1, 3), cyclic=True)
    assert rolled in plan.segments[1].inputs
