import numpy as np
import pytest

from dlf_jax.entropy_coding.partition import fold, part_masks, unfold

# Part -> for channel groups 0 … 3 the class of the cells that are active, where
# a b    are the cells of a 2x2 block (docs/architecture.md#four-parts).
# c d
TABLE = ("abcd", "dcba", "cdab", "badc")


def test_parts_are_those_of_the_table():
    masks = part_masks(2, 2, 8)
    for part, row in enumerate(TABLE):
        for group, cell_class in enumerate(row):
            cell = divmod("abcd".index(cell_class), 2)
            expected = np.zeros((2, 2), bool)
            expected[cell] = True
            for channel in (2 * group, 2 * group + 1):
                np.testing.assert_array_equal(masks[part, :, :, channel], expected)


@pytest.mark.parametrize("size", [(1, 1, 4), (3, 5, 8), (8, 4, 16)])
def test_parts_are_disjoint_and_cover_everything(size):
    masks = part_masks(*size)
    np.testing.assert_array_equal(masks.sum(0), 1)
    # Every cell has one active group in every part.
    np.testing.assert_array_equal(masks.sum(-1), size[-1] // 4)


def test_pattern_repeats_every_two_cells():
    masks = part_masks(6, 7, 4)
    np.testing.assert_array_equal(masks[:, :2, :2], masks[:, 2:4, 4:6])


def test_unfold_inverts_fold():
    masks = part_masks(3, 4, 8)
    values = np.random.default_rng(0).integers(1, 9, (2, 3, 4, 8))
    for mask in masks:
        folded = fold(values * mask)
        assert folded.shape == (2, 3, 4, 2)
        np.testing.assert_array_equal(unfold(folded, mask), values * mask)
