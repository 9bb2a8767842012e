"""Files of a given size."""

import dataclasses

import numpy as np
import pytest

from dlf_jax.errors import UserError
from dlf_jax.evaluation.codecs import open_codec
from dlf_jax.evaluation.same_size import best_within
from dlf_jax.metrics.psnr import psnr
from tests.evaluation.conftest import smooth


@dataclasses.dataclass
class Counter:
    """A codec with files of `floor` bytes and one more for each setting and pixel."""

    floor: int = 0
    settings: tuple[str, ...] = ("0",)
    version: str = ""

    def compress(self, image, setting):
        height, width, _ = image.shape
        head = bytes([height, width, *image.mean(axis=(0, 1)).astype(np.uint8)])
        return head + bytes(self.floor + height * width + int(setting))

    def decompress(self, data):
        height, width, *colour = data[:5]
        return np.tile(np.uint8(colour), (height, width, 1))


def test_the_budget_is_spent_and_kept():
    image = smooth(8, 10)
    for budget in (85, 100, 184):
        data, recon = best_within(Counter(), image, budget)
        assert len(data) == budget and recon.shape == image.shape
    data, _ = best_within(Counter(), image, 1000)
    assert len(data) == 5 + 80 + 99


def test_too_small_budgets_code_a_reduced_copy():
    image = smooth(8, 10)
    data, recon = best_within(Counter(), image, 40)
    assert tuple(data[:2]) in {(4, 5), (2, 3), (1, 2), (1, 1)}
    assert len(data) <= 40 and recon.shape == image.shape
    with pytest.raises(UserError, match="no file is as small as 40 bytes"):
        best_within(Counter(floor=40), image, 40)


@pytest.mark.parametrize("name", ["avif", "jxl"])
def test_more_bytes_give_a_better_picture(name):
    image = smooth(97, 131)
    codec, quality = open_codec(name), []
    for budget in (500, 1600):
        data, recon = best_within(codec, image, budget)
        assert len(data) <= budget
        assert (recon.shape, recon.dtype) == (image.shape, np.uint8)
        quality.append(float(psnr(image[None], recon[None])[0]))
    assert 15 < quality[0] < quality[1]
