"""Queues hold every tile once; schedules read only arrays that are there."""

import numpy as np
import pytest

from dlf_jax.codec.plan import Input, Plan, Segment
from dlf_jax.codec.tiles import Queue, Schedule

GRIDS = [(1, 1), (1, 9), (5, 2), (3, 4)]
SIZES = (2, 5)
HALO = {"rows": (-1, 5), "cols": (-1, 5)}
ROLLED = {"rows": (2, 6), "cols": (2, 6), "cyclic": True}


def plan(*links):
    """A chain of segments; each also reads the network's input."""
    segments = [
        Segment(0, (), (Input(0), *([Input(i, **link)] if i else [])), (i + 1,))
        for i, link in enumerate(({}, *links))
    ]
    shapes = len(segments) * ((4, 4, 1),) + ((4, 4, 1),)
    return Plan(tuple(segments), (len(segments),), shapes)


def test_chunks_of_a_queue():
    for count, sizes in ((1, [2]), (4, [2, 2]), (5, [5]), (7, [5, 2]), (10, [5, 5])):
        queue = Queue(((1, count),), SIZES)
        assert np.diff(queue.starts).tolist() == sizes
    for count, sizes in ((24, [24]), (12, [4, 4, 4]), (13, [24]), (29, [24, 4, 4])):
        queue = Queue(((count, 1),), (4, 24))
        assert np.diff(queue.starts).tolist() == sizes


def test_cut_and_paste_are_inverse():
    queue = Queue(tuple(GRIDS), SIZES)
    rng, dtype = np.random.default_rng(0), np.dtype(float)
    for tile in ((4, 3, 2), (5,), ()):
        arrays = [rng.normal(size=a.shape) for a in queue.maps(tile, dtype)]
        copies = queue.maps(tile, dtype)
        for chunk in range(queue.num_chunks):
            tiles = queue.cut(chunk, arrays, tile)
            assert tiles.shape == (queue.size(chunk), *tile)
            queue.paste(chunk, tiles, copies)
        for array, copy in zip(arrays, copies, strict=True):
            np.testing.assert_array_equal(array, copy)


def test_maps_go_on_as_their_edges():
    queue = Queue(((2, 2),), SIZES)
    array = np.arange(35).reshape(5, 7, 1)
    wide = np.pad(array, ((0, 3), (0, 1), (0, 0)), mode="edge")
    found = queue.maps((4, 4, 1), array.dtype)
    for chunk in range(queue.num_chunks):
        queue.paste(chunk, queue.cut(chunk, [array], (4, 4, 1)), found)
    np.testing.assert_array_equal(found[0], wide)


def test_places_of_a_picture():
    queue = Queue(((2, 3),), SIZES)
    columns = [[0, 0], [1, 0], [0, 1], [1, 1], [0, 2], [1, 2]]
    assert queue.place.tolist() == [*columns, [0, 0]]
    assert queue.picture.tolist() == 6 * [0] + [-1]
    assert queue.last[:6].tolist() == [[row == 1, col == 2] for row, col in columns]
    around = queue.around(Input(0, **HALO), (4, 4))
    np.testing.assert_array_equal(around[2], [[-1, -1, -1], [0, 2, 4], [1, 3, 5]])
    around = queue.around(Input(0, **ROLLED), (4, 4))
    np.testing.assert_array_equal(around[3], [[-1, -1, -1], [-1, 3, 5], [-1, 2, 4]])


@pytest.mark.parametrize(
    "links",
    [(), ({},), (HALO,), (HALO, HALO, {}), (ROLLED, HALO), (HALO, ROLLED, ROLLED)],
    ids=len,
)
def test_schedules_read_what_is_there(links):
    queue = Queue(tuple(GRIDS), SIZES)
    schedule = Schedule(plan(*links), queue)
    held, peak = set(), 0
    for step in schedule.steps:
        segment = schedule.plan.segments[step.segment]
        for item in segment.inputs[1:]:
            read = {step.chunk}
            if item.rows:
                slots = schedule.around[item][queue.slots(step.chunk)]
                read |= {int(queue.chunk_of[slot]) for slot in slots[slots >= 0]}
            assert {(item.value, chunk) for chunk in read} <= held
        (value,) = segment.outputs
        if value in schedule.read:
            held.add((value, step.chunk))
        peak = max(peak, sum(16 * queue.size(chunk) for _, chunk in held))
        held -= set(step.drops)
    assert not held
    assert schedule.peak == peak
    assert len(schedule.steps) == queue.num_chunks * len(schedule.plan.segments)


def test_filters_hold_a_few_rows_of_a_picture():
    """A picture's length makes no difference, and neither does its direction."""
    peaks = {
        Schedule(plan(HALO, HALO, HALO), Queue((grid,), SIZES)).peak
        for grid in ((30, 3), (60, 3), (3, 60))
    }
    assert len(peaks) == 1


def test_plans_are_data():
    made = plan(HALO, ROLLED)
    assert Plan.from_dict(made.to_dict()) == made
